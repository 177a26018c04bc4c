"""`ttsr upscale` of a film."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttsr.cli.bars import progress_bar
from ttsr.cli.chosen_references import ReferenceChooser
from ttsr.cli.printing import say, tell
from ttsr.errors import UserError
from ttsr.images.picture import Picture
from ttsr.inference.references import Reference, ReferencePixels, read_reference
from ttsr.retrieval.reference_files import list_references
from ttsr.system.files import refuse_leaving, refuse_overwriting
from ttsr.system.memory import gigabytes, parse_bytes
from ttsr.system.shared_work import SharedWork

if TYPE_CHECKING:
    from ttsr.cli.upscale_options import ComputingOptions, FileOptions, ReferenceOptions
    from ttsr.inference.upscaler import Upscaler
    from ttsr.video.film import Film
    from ttsr.video.film_upscaling import FilmResult


def upscale_one_film(
    lr: tuple[str, ...],
    references: "ReferenceOptions",
    files: "FileOptions",
    computing: "ComputingOptions",
) -> int:
    """Upscale the only film that is named, and say what became of it.

    Raises:
        UserError: it is not possible.
    """
    from ttsr.video.film import open_film
    from ttsr.video.film_names import film_target
    from ttsr.video.film_upscaling import check_film
    from ttsr.video.unfinished import unfinished_folder

    quality = _check_options(lr, references, files)
    source, size = Path(lr[0]), files.target_size
    suffix = size.suffix if files.suffix is None else files.suffix
    target = film_target(source, files.out, suffix)
    given = list_references(references.ref, recursive=files.recursive)
    inputs = [source, *given.named, *given.candidates, Path(computing.model)]
    refuse_overwriting([target, unfinished_folder(target)], inputs)
    if files.out is None or target != Path(files.out):
        refuse_leaving(target, target.parent)
    chooser = ReferenceChooser(given, references.max_refs, processes=computing.threads)
    if files.skip_existing and os.path.exists(target):
        say(f"{target}: is there already, and was skipped")
        return 0
    film = open_film(source)
    if files.out is not None and not computing.plan:
        target.parent.mkdir(parents=True, exist_ok=True)
    for note in check_film(film, target, size)[1]:
        say(f"{source}: {note}")
    pixels = [read_reference(path) for path in given.named]
    for reference in pixels:
        for note in reference.notes:
            say(f"{reference.source.name}: {note}")
    upscaler, encoded = _ready(film, target, pixels, references, computing)
    if given.candidates:
        found = chooser.choose(upscaler, source, Picture(next(film.frames()).rgb))
        encoded += tuple(Reference(reference.original) for reference in found.references)
    if computing.plan:
        _tell_plan(upscaler, film, encoded, target, files)
        return 0
    result = _upscaled(upscaler, film, encoded, target, files, quality, references.ref_every)
    _tell_result(film, target, result, files.json)
    return 0


def _check_options(lr: tuple[str, ...], references: "ReferenceOptions", files: "FileOptions") -> int:
    """The quality; the options must be such as a film has.

    Raises:
        UserError: they are not.
    """
    from ttsr.video.encoding import DEFAULT_QUALITY

    name, *others = lr
    if others:
        raise UserError(f"{name}: a film is upscaled by itself", "name one film, and no pictures beside it")
    given = {"--base": references.base, "--maps": files.maps, "--format": files.format}
    for option, value in given.items():
        if value is not None:
            raise UserError(f"{option}: is for pictures, and {name} is a film", f"leave out {option}")
    if references.ref_every is not None and references.ref_every < 2:
        raise UserError(f"--ref-every {references.ref_every}: is not possible", "give a number from 2 on")
    if files.quality is not None and not 1 <= files.quality <= 100:
        raise UserError(f"--quality {files.quality}: is not from 1 to 100")
    if SharedWork().count > 1:
        raise UserError(f"{name}: a film is upscaled by a single process", "start one")
    return DEFAULT_QUALITY if files.quality is None else files.quality


def _ready(
    film: "Film",
    target: Path,
    pixels: list[ReferencePixels],
    references: "ReferenceOptions",
    computing: "ComputingOptions",
) -> "tuple[Upscaler, tuple[Reference, ...]]":
    from ttsr.inference.upscaler import Upscaler
    from ttsr.system.threads import use_threads
    from ttsr.video.unfinished import precision_of_interrupted

    if computing.threads is not None:
        use_threads(computing.threads)
    precision = computing.precision
    if precision == "auto":  # which depends on how busy the machine is
        precision = precision_of_interrupted(target) or precision
    with progress_bar(computing.model) as progress:
        upscaler = Upscaler(
            computing.model,
            device=computing.device,
            precision=precision,
            search=references.search,
            pose=references.pose,
            match_colour=references.match_colour,
            ensemble=computing.ensemble,
            max_memory=None if computing.max_memory is None else parse_bytes(computing.max_memory),
            progress=progress,
        )
    if not references.ref and references.ref_every is None:
        own = not upscaler.model.config.trunk_channels
        say(f"no --ref given: {'each frame serves as its own reference' if own else 'no textures are added'}")
    with progress_bar("references") as progress:
        return upscaler, upscaler.encode_references(pixels, progress=progress)


def _upscaled(
    upscaler: "Upscaler",
    film: "Film",
    references: "tuple[Reference, ...]",
    target: Path,
    files: "FileOptions",
    quality: int,
    ref_every: int | None,
) -> "FilmResult":
    """The film, upscaled; where the work is stopped it is said how to go on."""
    from ttsr.video.film_upscaling import upscale_film
    from ttsr.video.unfinished import finished_frames, unfinished_folder

    before = finished_frames(target)
    if before:
        say(f"{film.path}: goes on behind {before} frames of an interrupted run")
    try:
        with progress_bar(film.path.name) as progress:
            return upscale_film(
                upscaler,
                film,
                target,
                references,
                size=files.target_size,
                quality=quality,
                ref_every=ref_every,
                progress=progress,
            )
    except (KeyboardInterrupt, SystemExit):
        done = finished_frames(target)
        if done:
            kept = unfinished_folder(target)
            say(f"{done} of {film.num_frames} frames are kept in {kept}; the same command goes on from there")
        raise


def _tell_plan(
    upscaler: "Upscaler", film: "Film", references: "tuple[Reference, ...]", target: Path, files: "FileOptions"
) -> None:
    from ttsr.video.film_upscaling import plan_film

    plan = plan_film(upscaler, film, references, target, files.target_size)
    if files.json:
        facts = {"input": str(film.path), "input_size": list(film.size), "frames": plan.num_frames}
        facts |= {"seconds": round(plan.seconds, 3), "memory_bytes": plan.memory_bytes}
        tell(json.dumps({"type": "plan", **facts}))
        return
    per_frame = plan.seconds / plan.num_frames
    tell(
        f"{film.path}: {_by(film.size)}, {plan.num_frames} frames, about {_duration(plan.seconds)} "
        f"({per_frame:.1f} s a frame) and {gigabytes(plan.memory_bytes)}"
    )


def _tell_result(film: "Film", target: Path, result: "FilmResult", as_json: bool) -> None:
    from ttsr.inference.texture_origins import reference_facts

    for note in film.damage:
        say(f"{film.path}: {note}")
    if as_json:
        facts: dict[str, Any] = {
            "type": "film",
            "input": str(film.path),
            "output": str(target),
            "input_size": list(film.size),
            "output_size": list(result.size),
            "frames": result.frames,
            "resumed_at": result.resumed_at,
            "seconds": round(result.seconds, 3),
            "peak_memory_bytes": result.peak_memory_bytes,
            "references": [reference_facts(reference) for reference in result.references],
            "fits": result.fits,
            "mean_relevance": round(result.mean_relevance, 4),
            "notes": list(result.notes),
        }
        tell(json.dumps(facts))
        return
    for reference in result.references:
        if reference.fit is not None:
            say(f"{film.path}: {reference.source.name}: {reference.fit} (in the last part)")
    tell(
        f"{film.path} {_by(film.size)} -> {target} {_by(result.size)}, {result.frames} frames "
        f"in {_duration(result.seconds)}, peak memory {gigabytes(result.peak_memory_bytes)}, "
        f"mean relevance {result.mean_relevance:.3f}"
    )


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _duration(seconds: float) -> str:
    """For people, such as 8 s, 12 min or 3 h 5 min."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
