"""A batch of pictures, in which single ones may fail."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ttsr.errors import UserError
from ttsr.images.formats import check_fits_format
from ttsr.images.picture import Picture
from ttsr.images.reading import read_picture
from ttsr.images.writing import DEFAULT_QUALITY
from ttsr.inference.job_files import Job, check_place, prepare_target
from ttsr.inference.map_folders import prepare_maps
from ttsr.inference.target_size import TargetSize
from ttsr.progress import Progress
from ttsr.system.files import identities

if TYPE_CHECKING:  # so that bad input is refused without waiting for torch
    from ttsr.inference.plan import Plan
    from ttsr.inference.references import Reference
    from ttsr.inference.upscaled import Upscaled
    from ttsr.inference.upscaler import Upscaler


@dataclass(frozen=True)
class JobResult:
    """What became of a job.

    Attributes:
        job: the job.
        picture: the LR picture, if it could be read.
        plan: the job's, if it was only to be planned.
        upscaled: the result, written to `job.target`, if the job did not fail.
        losses: what the target's format could not hold, one sentence each.
        maps: the folder that the maps of the result were written to, if they were asked for.
        error: why the job failed.
    """

    job: Job
    picture: Picture | None = None
    plan: "Plan | None" = None
    upscaled: "Upscaled | None" = None
    losses: tuple[str, ...] = ()
    maps: Path | None = None
    error: UserError | None = None


def run_jobs(
    jobs: Iterable[Job],
    ready: "Callable[[], tuple[Upscaler, Sequence[Reference]]]",
    start: "Callable[[Job, Picture, Plan], Progress | None]",
    *,
    size: TargetSize | None = None,
    base: Path | None = None,
    quality: int = DEFAULT_QUALITY,
    maps: Mapping[Job, Path] | None = None,
    plan_only: bool = False,
    choose: "Callable[[Job, Picture], Sequence[Reference]] | None" = None,
) -> Iterator[JobResult]:
    """Upscale one picture after the other, and yield each result; a bad one does not stop those behind it.

    Args:
        jobs: from `plan_jobs`.
        ready: gives the upscaler and its encoded references, once the first good picture needs them.
        start: called before a picture's work with its plan; gives the progress to report to.
        size: of the outputs; by default four times that of the pictures.
        base: an enlargement of the only picture, see `Upscaler.upscale`.
        quality: of JPEG and WebP, from 1 to 100.
        maps: for each job the folder to write its maps to, from `map_folders`; by default none are written.
        plan_only: only plan each picture; nothing is written or made.
        choose: gives more references for a picture, after `ready`.

    Raises:
        UserError: something that all pictures need is missing or does not fit into memory.
    """
    size = size or TargetSize()
    written: dict[str | tuple[int, int], Path] = {}
    for job in jobs:
        picture = None
        try:
            picture = read_picture(job.source)
            target = size.of(picture.size)
            check_fits_format(job.target, target)
            if not plan_only:
                prepare_target(job)
                _refuse_replacing(job, written)
                if maps:
                    prepare_maps(maps[job], job.source)
        except UserError as error:
            yield JobResult(job, picture, error=error)
            continue
        if size.stretches(picture.size):
            picture = replace(picture, notes=(*picture.notes, "its proportions are not those of the size asked for"))
        upscaler, references = ready()
        from ttsr.inference.maps import write_maps
        from ttsr.inference.sizes import plan_to, upscale_to

        try:
            # Before the plan, which depends on what is used of them.
            more = () if choose is None else choose(job, picture)
            fitted = upscaler.fit_references(picture, [*references, *more])
            plan = plan_to(upscaler, picture, target, fitted)
            if plan_only:
                yield JobResult(job, picture, plan=plan)
                continue
            progress = start(job, picture, plan)
            result = upscale_to(upscaler, picture, target, fitted, base=base, plan=plan, progress=progress)
            if maps:  # before the output, by which `--skip-existing` knows that a picture is done
                write_maps(result, picture, maps[job], source=job.source)
            check_place(job)  # again: the work may have taken hours
            losses = result.save(job.target, quality=quality)
            written |= dict.fromkeys(identities(job.target), job.source)
        except UserError as error:
            yield JobResult(job, picture, error=error)
        else:
            yield JobResult(job, picture, upscaled=result, losses=losses, maps=maps[job] if maps else None)


def _refuse_replacing(job: Job, written: Mapping[str | tuple[int, int], Path]) -> None:
    """Check that the output is not that of another picture, as where the file system does not tell A from a.

    Raises:
        UserError: it is.
    """
    for key in identities(job.target):
        if key in written:
            raise UserError(f"{job.target}: is the result of {written[key]} already", "upscale them apart")
