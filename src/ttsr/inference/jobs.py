"""A batch of pictures: which file becomes which, and the work, in which single pictures may fail."""

import os
import stat
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ttsr.errors import ImageError, UserError
from ttsr.images.formats import READ, check_fits_format, format_for
from ttsr.images.picture import Picture
from ttsr.images.reading import pictures_in, read_picture
from ttsr.progress import Progress

if TYPE_CHECKING:  # so that bad input is refused without waiting for torch
    from ttsr.inference.plan import Plan
    from ttsr.inference.references import Reference
    from ttsr.inference.upscaled import Upscaled
    from ttsr.inference.upscaler import Upscaler


@dataclass(frozen=True)
class Job:
    """One picture to upscale, and the file to write; the file's folder may be one that we make if it is missing."""

    source: Path
    target: Path
    makes_folder: bool = False


@dataclass(frozen=True)
class JobResult:
    """What became of a job.

    Attributes:
        job: the job.
        picture: the LR picture, if it could be read.
        upscaled: the result, written to `job.target`, if the job did not fail.
        losses: what the target's format could not hold, one sentence each.
        error: why the job failed.
    """

    job: Job
    picture: Picture | None = None
    upscaled: "Upscaled | None" = None
    losses: tuple[str, ...] = ()
    error: UserError | None = None


def run_jobs(
    jobs: Sequence[Job],
    ready: "Callable[[], tuple[Upscaler, Sequence[Reference]]]",
    start: "Callable[[Job, Picture, Plan], Progress | None]",
) -> Iterator[JobResult]:
    """Upscale one picture after the other, and yield each result; a bad one does not stop those behind it.

    Args:
        jobs: from `plan_jobs`.
        ready: gives the upscaler and its encoded references, once the first good picture needs them.
        start: called before a picture's work with its plan; gives the progress to report to.

    Raises:
        UserError: something that all pictures need is missing or does not fit into memory.
    """
    for job in jobs:
        picture = None
        try:
            picture = read_picture(job.source)
            check_fits_format(job.target, (4 * picture.size[0], 4 * picture.size[1]))
            prepare_target(job)
        except UserError as error:
            yield JobResult(job, picture, error=error)
            continue
        upscaler, references = ready()
        try:
            plan = upscaler.plan(picture, references)
            result = upscaler.upscale(picture, references, plan=plan, progress=start(job, picture, plan))
            losses = result.save(job.target)
        except UserError as error:
            yield JobResult(job, picture, error=error)
        else:
            yield JobResult(job, picture, result, losses)


def plan_jobs(inputs: Sequence[Path], out: str | None) -> list[Job]:
    """Pair every input with its output. Nothing is written or made.

    Args:
        inputs: picture files, and folders that stand for all pictures in them.
        out: a file's name for a single picture; a folder for several, or where it ends in a slash or exists.
            Without it NAME.jpg becomes NAME_x4.png beside it, and the pictures of FOLDER go to FOLDER_x4.

    Raises:
        ImageError: a folder without pictures, an `out` that cannot be what it must be, or several inputs that
            would become one file.
    """
    # os.path answers for a name that is too long for any file too.
    files = [path for path in inputs if not os.path.isdir(path)]
    folders = [path for path in inputs if os.path.isdir(path)]
    if out == "":
        raise ImageError("-o '': names no file; leave it away for NAME_x4.png, or give . for this folder")
    if out is not None and not out.endswith(("/", os.sep)) and not os.path.isdir(out):
        if len(files) == 1 and not folders:
            format_for(out)
            return [Job(files[0], Path(out))]
        if os.path.exists(out):
            raise ImageError(f"{out}: is a file, and several pictures need a folder")
        if Path(out).suffix.lower() in READ:
            raise ImageError(f"{out}: names one picture, and there are several; name a folder")
    placed = [Job(path, Path(out) if out else path.parent, makes_folder=out is not None) for path in files]
    for folder in folders:
        target = Path(out) if out else folder.resolve().with_name(f"{folder.resolve().name}_x4")
        placed += [Job(path, target, makes_folder=True) for path in pictures_in(folder)]
    return _named(placed)


def prepare_target(job: Job) -> None:
    """See before the work that the output can be written, and make its folder if that is ours to make.

    Raises:
        UserError: the folder is missing, cannot be made or refuses files, or the output cannot be a file.
    """
    folder = job.target.parent
    if job.makes_folder:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ImageError(f"{folder}: the folder cannot be made ({error.strerror})") from None
    check_writable(job.target)


def check_writable(path: Path) -> None:
    """See before the work that a file can be written under this name; a link is followed. Nothing stays behind.

    Raises:
        UserError: the folder is missing or refuses files, or the name is no file's, but a folder's or a device's.
    """
    target = Path(os.path.realpath(path)) if os.path.islink(path) else path
    folder = target.parent
    if not os.path.exists(folder):
        raise UserError(f"{folder}: there is no such folder to write to")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"{folder}: cannot be written to ({error.strerror})") from None
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None
    if stat.S_ISDIR(mode):
        raise UserError(f"{path}: is a folder; name another output")
    if not stat.S_ISREG(mode):  # to replace one of these would take it from other programs
        raise UserError(f"{path}: is a device or the like; name a file")


def _named(placed: Sequence[Job]) -> list[Job]:
    """Jobs with a folder as their target: NAME_x4.png in it; inputs that differ in their suffix alone keep it."""
    count = Counter(job.target / job.source.stem for job in placed)
    jobs = []
    for job in placed:
        name = job.source.stem if count[job.target / job.source.stem] == 1 else job.source.name
        jobs.append(replace(job, target=job.target / f"{name}_x4.png"))
    for target, times in Counter(job.target for job in jobs).items():
        if times > 1:
            raise ImageError(f"{target}: {times} of the inputs would become this file; upscale them apart")
    return jobs
