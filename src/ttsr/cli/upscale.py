"""`ttsr upscale`."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ttsr.cli.bars import progress_bar
from ttsr.cli.chosen_references import ReferenceChooser
from ttsr.cli.printing import say
from ttsr.cli.upscale_options import ComputingOptions, FileOptions, ReferenceOptions
from ttsr.cli.upscale_report import UpscaleReport, by
from ttsr.errors import UserError
from ttsr.images.picture import Picture
from ttsr.inference.job_files import Job, plan_jobs
from ttsr.inference.jobs import JobResult, run_jobs
from ttsr.inference.map_folders import MAP_FILES, check_maps_folder, map_folders
from ttsr.inference.references import Reference, read_reference
from ttsr.progress import Progress
from ttsr.retrieval.reference_files import list_references
from ttsr.system.files import refuse_leaving, refuse_overwriting
from ttsr.system.memory import gigabytes, parse_bytes
from ttsr.system.shared_work import SharedWork
from ttsr.video.film_names import is_film

if TYPE_CHECKING:
    from ttsr.inference.plan import Plan
    from ttsr.inference.upscaler import Upscaler

# Longer work is announced with what it will take.
_ANNOUNCED_S = 2.0

_REFERENCES, _FILES, _COMPUTING = ReferenceOptions(), FileOptions(), ComputingOptions()


def upscale(
    *lr: str,
    references: ReferenceOptions = _REFERENCES,
    files: FileOptions = _FILES,
    computing: ComputingOptions = _COMPUTING,
) -> int:
    """Upscale pictures, four times by default, with the textures of one or more reference pictures.

    Args:
        lr: Pictures to upscale, or folders of them: PNG, JPEG, WebP, TIFF and a few more. Or one film: MP4, MOV, MKV
            and others.
        references: Where the textures come from.
        files: What is read and written, and how.
        computing: With what, where and how exactly to compute.
    """
    if any(map(is_film, lr)):
        from ttsr.cli.upscale_film import upscale_one_film

        return upscale_one_film(lr, references, files, computing)
    if references.ref_every is not None:
        raise UserError("--ref-every: is for films", "leave it out")
    settings = {
        "model": computing.model,
        "device": computing.device,
        "precision": computing.precision,
        "search": references.search,
        "references": [str(path) for path in references.ref],
    }
    work = SharedWork()
    report = UpscaleReport(files.json, settings, shown=work.is_main)
    stopped_by = None
    try:
        for result in _results(lr, references, files, computing, report, work):
            report.add(result)
        report.totals = work.finish(report.counts)
    except UserError as error:
        stopped_by = str(error)
        if not work.stop(stopped_by):
            raise SystemExit(2) from None  # another process says it
        raise
    finally:
        report.close(stopped_by)
    # One process says it for all: of several that fail, a launcher stops the others where the first has ended.
    return 2 if report.totals["errors"] and work.is_main else 0


def _results(
    lr: tuple[str, ...],
    references: ReferenceOptions,
    files: FileOptions,
    computing: ComputingOptions,
    report: UpscaleReport,
    work: SharedWork,
) -> Iterator[JobResult]:
    """Upscale every picture that can be read and written, and that no other process of the run has taken.

    Raises:
        UserError: something that all pictures need is missing or wrong.
    """
    if not lr:
        raise UserError("name at least one picture to upscale")
    if "" in lr:  # which a path would take for the current folder
        raise UserError("'' names no picture; give . for those of this folder")
    jobs, notes = plan_jobs([Path(name) for name in lr], files.out, files.naming, recursive=files.recursive)
    size, quality = files.target_size, files.check_quality(jobs)
    for note in notes if work.is_main else ():
        say(note)
    base = references.base
    if base is not None and not references.ref:
        raise UserError("--base without --ref: there are no textures to add to it", "give a --ref")
    if base is not None and len(jobs) > 1:
        raise UserError(f"--base {base}: is of one picture, and {len(jobs)} are to be upscaled", "name one picture")
    maps = None if files.maps is None else map_folders(jobs, files.maps)
    if files.maps is not None:
        check_maps_folder(files.maps)
        for folder in (maps or {}).values():
            refuse_leaving(folder, files.maps)
    mapped = [folder / name for folder in (maps or {}).values() for name in MAP_FILES]
    outputs = [*(job.target for job in jobs), *mapped]
    # What lies among the photos by the name of a result is one of an earlier run; by another name it may be a photo.
    replaced = [job.target for job in jobs if files.naming.is_for(job)]
    given = list_references(references.ref, recursive=files.recursive).without([*replaced, *mapped])
    inputs = [*given.named, *given.candidates, *(job.source for job in jobs), Path(computing.model)]
    refuse_overwriting(outputs, [*inputs, *([base] if base else [])])
    chooser = ReferenceChooser(
        given, references.max_refs, without=outputs, processes=computing.threads, shown=work.is_main
    )
    max_memory = None if computing.max_memory is None else parse_bytes(computing.max_memory)
    pixels = []
    for path in given.named:
        pixels.append(read_reference(path))
        for note in pixels[-1].notes if work.is_main else ():
            say(f"{path}: {note}")

    def todo() -> Iterator[Job]:
        work.meet()  # so that all have seen the same files
        for job in work.take(jobs):
            if files.skip_existing and os.path.exists(job.target):
                report.counts["skipped"] += 1
            else:
                yield job

    @cache
    def ready() -> "tuple[Upscaler, tuple[Reference, ...]]":
        from ttsr.inference.upscaler import Upscaler
        from ttsr.system.threads import use_threads

        if computing.threads is not None:
            use_threads(computing.threads)
        with progress_bar(computing.model, shown=work.is_main) as progress:
            upscaler = Upscaler(
                computing.model,
                device=work.device(computing.device),
                precision=computing.precision,
                search=references.search,
                pose=references.pose,
                match_colour=references.match_colour,
                ensemble=computing.ensemble,
                max_memory=max_memory,
                progress=progress,
            )
        if not references.ref and work.is_main:
            own = not upscaler.model.config.trunk_channels
            say(f"no --ref given: {'each picture serves as its own reference' if own else 'no textures are added'}")
        if len(jobs) > 1 and not computing.plan:
            with progress_bar("references", shown=work.is_main) as progress:
                encoded = upscaler.encode_references(pixels, progress=progress)
        else:  # used once, if at all: encoded along with the picture
            encoded = tuple(Reference(reference) for reference in pixels)
        report.settings |= {"device": str(upscaler.device), "precision": upscaler.precision}
        report.settings["search"] = upscaler.matching.matcher.name
        return upscaler, encoded

    def choose(job: Job, picture: Picture) -> "Sequence[Reference]":
        found = chooser.choose(ready()[0], job.source, picture)
        report.choices[job] = found
        return found.references

    def start(job: Job, picture: Picture, plan: "Plan") -> Progress:
        for note in picture.notes if job.source not in given.named else ():  # else said of the reference
            say(f"{job.source}: {note}")
        if plan.seconds > _ANNOUNCED_S and not computing.plan:
            memory = gigabytes(plan.memory_bytes)
            say(f"{job.source}: {by(picture)}, this will take about {plan.seconds:.0f} s and {memory}")
        return bar.enter_context(progress_bar(job.source.name, shown=work.is_main))

    with ExitStack() as bar:
        how = {"size": size, "base": base, "quality": quality, "maps": maps, "plan_only": computing.plan}
        how["choose"] = choose if given.candidates else None
        for result in run_jobs(todo(), ready, start, **how):
            bar.close()
            yield result
