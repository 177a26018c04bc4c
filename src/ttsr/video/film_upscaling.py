"""Upscale a film: frames, sound and all, from where an earlier run was stopped."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttsr import __version__
from ttsr.errors import UserError
from ttsr.images.picture import Picture
from ttsr.inference.job_files import check_writable
from ttsr.inference.references import Reference
from ttsr.inference.sizes import plan_to
from ttsr.inference.target_size import TargetSize
from ttsr.inference.upscaler import Upscaler
from ttsr.progress import Progress
from ttsr.system.memory import peak_bytes
from ttsr.video.encoding import DEFAULT_QUALITY, Encoding, choose_encoder
from ttsr.video.film import Film
from ttsr.video.frame_upscaler import FrameUpscaler, seconds_to_follow
from ttsr.video.joining import check_container, join
from ttsr.video.pyav import pyav
from ttsr.video.sharp_frames import find_sharp_frames, nearer_frames
from ttsr.video.unfinished import PIECE_FRAMES, State, unfinished

_SCANNING_SHARE = 0.02  # of the progress, for sharp frames
_KNOWN_BYTES = 2**20  # of a film, at both ends, that it is recognised by


@dataclass(frozen=True)
class FilmPlan:
    """What a film will take.

    Attributes:
        size: (width, height) of the result.
        num_frames: how many frames it has, by what its file says.
        seconds: estimated time for all of them.
        memory_bytes: estimated peak of the process, or of the GPU's memory.
        notes: what is changed or left out, one sentence each.
    """

    size: tuple[int, int]
    num_frames: int
    seconds: float
    memory_bytes: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class FilmResult:
    """A film that was upscaled.

    Attributes:
        size: (width, height).
        frames: how many it has.
        resumed_at: how many of them an interrupted run had made.
        seconds: time taken by this run.
        peak_memory_bytes: as `Upscaled.peak_memory_bytes`.
        mean_relevance: of all frames.
        fits: how often references were fitted.
        references: as they were fitted last.
        notes: what could not be read, is left out or changed, one sentence each.
    """

    size: tuple[int, int]
    frames: int
    resumed_at: int
    seconds: float
    peak_memory_bytes: int
    mean_relevance: float
    fits: int
    references: tuple[Reference, ...]
    notes: tuple[str, ...]


def check_film(film: Film, target: Path, size: TargetSize) -> tuple[tuple[int, int], tuple[str, ...]]:
    """See before the work that a result is possible; its size, and a sentence for each thing that is changed or lost.

    Raises:
        UserError: it is not, or cannot be written.
    """
    wanted = size.of(film.size)
    if any(side > 4 * own for side, own in zip(wanted, film.size, strict=True)):
        raise UserError(f"{film.path}: films are upscaled four times at most", "choose a smaller size")
    # Chroma has half the resolution.
    even = (wanted[0] + wanted[0] % 2, wanted[1] + wanted[1] % 2)
    notes = [*film.notes, *check_container(film, target)]
    if even != wanted:
        notes.append(f"its size becomes {even[0]}x{even[1]}, for a film's sides are even")
    if film.deep and choose_encoder(deep=True)[1] == "yuv420p":
        notes.append("its colours are reduced to 8 bits a channel, for want of an encoder of more")
    check_writable(target)
    return even, tuple(notes)


def plan_film(
    upscaler: Upscaler, film: Film, references: Sequence[Reference], target: Path, size: TargetSize | None = None
) -> FilmPlan:
    """Estimate the time and memory that `upscale_film` will take, by its first frame.

    Raises:
        UserError: it is not possible, or does not fit into memory.
    """
    even, notes = check_film(film, target, size or TargetSize())
    first = Picture(next(film.frames()).rgb)
    fitted = upscaler.fit_references(first, references)
    upscaler.keep(fitted)
    plan = plan_to(upscaler, first, even, fitted)
    following = seconds_to_follow(upscaler, first, fitted)
    return FilmPlan(even, film.num_frames, film.num_frames * (plan.seconds + following), plan.memory_bytes, notes)


def upscale_film(
    upscaler: Upscaler,
    film: Film,
    target: str | Path,
    references: Sequence[Reference] = (),
    *,
    size: TargetSize | None = None,
    quality: int = DEFAULT_QUALITY,
    ref_every: int | None = None,
    progress: Progress | None = None,
) -> FilmResult:
    """Upscale a film frame by frame, with copies of its sound and subtitles, and its time stamps and colour tags.

    What is done lies in the folder `TARGET.unfinished` until the film is whole. A run that is interrupted, by whatever,
    leaves it, and the same call goes on from there.

    Args:
        upscaler: the network.
        film: from `open_film`.
        target: the file to write: .mp4, .m4v, .mov or .mkv.
        references: from `Upscaler.encode_references`, for all frames.
        size: of the result; by default four times that of the film, and no more. Sides become even.
        quality: from 1 to 100.
        ref_every: take the sharpest of every so many frames as a reference too, for frames that show the subject
            smaller.
        progress: updated throughout; cancels the work.

    Raises:
        UserError: something is missing or wrong, or does not fit into memory.
        Cancelled: through `progress`.
        OSError: the result, or what is done of it, cannot be written.
    """
    began, target, progress = time.perf_counter(), Path(target), progress or Progress()
    even, notes = check_film(film, target, size or TargetSize())
    encoder, pixel_format = choose_encoder(deep=film.deep)
    encoding = Encoding(encoder, pixel_format, quality, even, film.rate, film.colours, film.pixel_aspect)
    settings = _settings(upscaler, film, references, ref_every)
    with unfinished(target, settings, encoding) as work:
        state = work.state
        scanned = 0.0 if ref_every is None else _SCANNING_SHARE
        more = None
        if ref_every is not None:
            more = nearer_frames(find_sharp_frames(film, ref_every, progress=progress.part(0, scanned)))
        frames = FrameUpscaler(upscaler, references, even, more)
        if state.scene is not None:
            frames.resume(state.scene)
        resumed_at, times = state.done, []
        for frame in film.frames():
            times.append(frame.time)
            if frame.number < resumed_at:
                continue
            total = max(film.num_frames, frame.number + 1)
            stage = f"frame {frame.number + 1} of {total}"
            share = scanned + (1 - scanned) * frame.number / total, scanned + (1 - scanned) * (frame.number + 1) / total
            part = progress.part(*share)
            own = Progress(lambda fraction, _, part=part, stage=stage: part.update(fraction, stage))
            result = frames.upscale(frame.rgb, frame.number, own)
            relevance, fits = state.relevance + float(result.relevance.mean()), state.fits + frames.fits
            frames.fits, state = 0, State(frame.number + 1, frames.scene, relevance, fits)
            work.add(result.picture.rgb, state)
        join(film, work.pieces(), times[: state.done], target, PIECE_FRAMES)
    seconds, memory = time.perf_counter() - began, peak_bytes(upscaler.device)
    relevance = state.relevance / state.done
    notes = (*notes, *film.damage)
    return FilmResult(even, state.done, resumed_at, seconds, memory, relevance, state.fits, frames.references, notes)


def _settings(upscaler: Upscaler, film: Film, references: Sequence[Reference], ref_every: int | None) -> dict[str, Any]:
    """What the frames depend on, as JSON can hold it."""
    weights = hashlib.sha256()
    for name, tensor in upscaler.model.state_dict().items():
        weights.update(name.encode())
        weights.update(tensor.detach().float().cpu().numpy().tobytes())
    return {
        "film": _digest(film.path),
        "references": [r.source.sha256 or hashlib.sha256(r.original.rgb.tobytes()).hexdigest() for r in references],
        "ref_every": ref_every,
        "weights": weights.hexdigest(),
        "precision": upscaler.precision,
        "matching": str(upscaler.matching),
        "ensemble": upscaler.ensemble,
        "versions": [__version__, pyav().__version__],
    }


def _digest(path: Path) -> str:
    """Of a film's length, beginning and end: to read all of a long film takes minutes."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        begin = file.read(_KNOWN_BYTES)
        file.seek(max(0, size - _KNOWN_BYTES))
        return hashlib.sha256(b"%d" % size + begin + file.read()).hexdigest()
