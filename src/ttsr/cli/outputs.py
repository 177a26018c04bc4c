"""Which file becomes which: inputs and `-o` to pairs of paths, checked before any work is done."""

import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ttsr.errors import ImageError
from ttsr.images.reading import pictures_in
from ttsr.images.writing import format_for


@dataclass(frozen=True)
class Job:
    """One picture to upscale."""

    source: Path
    target: Path


def plan_jobs(inputs: Sequence[Path], out: str | None) -> list[Job]:
    """Pair every input with its output.

    Args:
        inputs: picture files, and folders that stand for all pictures in them.
        out: a file's name for a single picture; a folder, made if need be, for several, or where it ends in a
            slash or exists. Without it NAME.jpg becomes NAME_x4.png beside it, and the pictures of FOLDER go
            to FOLDER_x4.

    Raises:
        ImageError: a folder without pictures, or an output that cannot be what it must be or be written to.
    """
    files = [path for path in inputs if not path.is_dir()]
    folders = [path for path in inputs if path.is_dir()]
    many = bool(folders) or len(files) > 1
    if out is not None and not many and not _means_folder(out):
        format_for(out)
        jobs = [Job(files[0], Path(out))]
    else:
        if out is not None and Path(out).exists() and not Path(out).is_dir():
            raise ImageError(f"{out}: is a file, and several pictures need a folder")
        if (
            out is not None
            and not _means_folder(out)
            and Path(out).suffix.lower() in {".png", ".jpg", ".jpeg"}
        ):
            raise ImageError(f"{out}: names one picture, and there are several; name a folder")
        placed = [(path, Path(out) if out else path.parent) for path in files]
        for folder in folders:
            target = Path(out) if out else folder.resolve().with_name(f"{folder.resolve().name}_x4")
            placed += [(path, target) for path in pictures_in(folder)]
        jobs = _named(placed)
        for folder in {job.target.parent for job in jobs}:
            _make(folder)
    for folder in {job.target.parent for job in jobs}:
        _check_writable(folder)
    return jobs


def check_no_input_is_overwritten(jobs: Sequence[Job], inputs: Iterable[Path]) -> None:
    """See that no output is one of the inputs, by whatever name or link.

    Raises:
        ImageError: one is.
    """
    sources = list(inputs)
    for job in jobs:
        for source in sources:
            same = job.target.resolve() == source.resolve()
            if same or (job.target.exists() and source.exists() and job.target.samefile(source)):
                raise ImageError(f"{job.target}: is the output and an input ({source}); name another with -o")


def _means_folder(out: str) -> bool:
    return out.endswith(("/", os.sep)) or Path(out).is_dir()


def _named(placed: Sequence[tuple[Path, Path]]) -> list[Job]:
    """NAME_x4.png in its folder; inputs that differ in their suffix alone keep it in the name."""
    plain = [folder / f"{path.stem}_x4.png" for path, folder in placed]
    count = Counter(plain)
    jobs = []
    for (path, folder), target in zip(placed, plain, strict=True):
        jobs.append(Job(path, target if count[target] == 1 else folder / f"{path.name}_x4.png"))
    for target, times in Counter(job.target for job in jobs).items():
        if times > 1:
            raise ImageError(f"{target}: {times} of the inputs would become this file; upscale them apart")
    return jobs


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageError(f"{folder}: the folder cannot be made ({error.strerror})") from None


def _check_writable(folder: Path) -> None:
    if not folder.exists():
        raise ImageError(f"{folder}: there is no such folder to write to")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ImageError(f"{folder}: cannot be written to ({error.strerror})") from None
