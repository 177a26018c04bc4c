"""`ttsr upscale`."""

import json as json_format
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ttsr.cli.bars import progress_bar
from ttsr.cli.printing import say, tell
from ttsr.cli.shared_options import DeviceOption
from ttsr.errors import UserError
from ttsr.images.picture import Picture
from ttsr.inference.jobs import Job, JobResult, plan_jobs, run_jobs
from ttsr.inference.references import read_reference
from ttsr.options import DEFAULT_DEVICE, DEFAULT_MODEL, DEFAULT_PRECISION, DEFAULT_SEARCH, Device, Precision, Search
from ttsr.progress import Progress
from ttsr.system.files import refuse_overwriting
from ttsr.system.memory import gigabytes

if TYPE_CHECKING:
    from ttsr.inference.plan import Plan
    from ttsr.inference.references import Reference
    from ttsr.inference.upscaled import Upscaled
    from ttsr.inference.upscaler import Upscaler

# Longer work is announced with what it will take.
_ANNOUNCED_S = 2.0


def upscale(
    *lr: str,
    ref: Annotated[tuple[Path, ...], Parameter(show_default=False)] = (),
    out: Annotated[str | None, Parameter(name=["--out", "-o"])] = None,
    model: str = DEFAULT_MODEL,
    device: DeviceOption = DEFAULT_DEVICE,
    precision: Precision = DEFAULT_PRECISION,
    search: Search = DEFAULT_SEARCH,
    json: Annotated[bool, Parameter(show_default=False)] = False,
) -> int:
    """Upscale pictures four times, with the textures of one or more reference pictures.

    Args:
        lr: Pictures to upscale, or folders of them: PNG, JPEG, WebP, TIFF and a few more.
        ref: A sharp picture of the same thing; may be given several times. Without any, each picture is its own
            reference.
        out: The file to write (.png, .jpg, .webp or .tiff), or a folder for several. Default: NAME_x4.png beside NAME,
            and FOLDER_x4 for a folder. A file that exists is replaced, but never an input.
        model: A name from the catalogue, a checkpoint file, or a URL.
        device: Where to compute: auto (a GPU if there is one), cpu, cuda, cuda:N for one of several GPUs, or mps.
        precision: fp32 is exact; bf16 and fp16 are faster on GPUs; tf32 is fp32 with rounded products, on CUDA.
        search: exact compares every place of the LR with every place of the references, as published; its time grows
            with the product of their pixels. coherent searches coarse to fine, in a small part of that time for large
            pictures, and prefers matches that agree with their neighbours.
        json: Print one JSON object for programs to stdout instead of lines for people.
    """
    start = time.perf_counter()
    report: dict[str, Any] = {
        "model": model,
        "device": device,
        "precision": precision,
        "search": search,
        "references": [str(path) for path in ref],
        "own_reference": not ref,
        "pictures": [],
        "errors": [],
    }
    try:
        for result in _results(lr, ref, out, model, device, precision, search, report):
            job, before, upscaled = result.job, result.picture, result.upscaled
            if result.error is not None:
                text = str(result.error)
                if not text.startswith((f"{job.source}: ", f"{job.target}: ")):
                    text = f"{job.source}: {text}"
                report["errors"].append({"input": str(job.source), "error": text})
            if upscaled is None or before is None:
                continue
            for loss in result.losses:
                say(f"{job.target}: {loss}")
            report["pictures"].append(_facts(result, before, upscaled))
            if not json:
                tell(
                    f"{job.source} {_by(before)} -> {job.target} {_by(upscaled.picture)} "
                    f"in {upscaled.seconds:.1f} s, peak memory {gigabytes(upscaled.peak_memory_bytes)}, "
                    f"mean relevance {upscaled.relevance.mean():.3f}"
                )
    except UserError as error:
        report["errors"].append({"input": None, "error": str(error)})
        raise
    finally:
        if json:
            tell(json_format.dumps(report | {"seconds": round(time.perf_counter() - start, 3)}))
    for error in report["errors"]:
        say(error["error"])
    return 2 if report["errors"] else 0


def _results(
    lr: tuple[str, ...],
    ref: tuple[Path, ...],
    out: str | None,
    model: str,
    device: Device,
    precision: Precision,
    search: Search,
    report: dict[str, Any],
) -> Iterator[JobResult]:
    """Upscale every picture that can be read and written; the device that is used goes to the report.

    Raises:
        UserError: something that all pictures need is missing or wrong.
    """
    if not lr:
        raise UserError("name at least one picture to upscale")
    if "" in lr:  # which a path would take for the current folder
        raise UserError("'' names no picture; give . for those of this folder")
    jobs = plan_jobs([Path(name) for name in lr], out)
    refuse_overwriting((job.target for job in jobs), [*ref, *(job.source for job in jobs), Path(model)])
    pixels = []
    for path in ref:
        pixels.append(read_reference(path))
        for note in pixels[-1].notes:
            say(f"{path}: {note}")

    @cache
    def ready() -> "tuple[Upscaler, tuple[Reference, ...]]":
        from ttsr.inference.upscaler import Upscaler
        from ttsr.models.correspondence.coherent import COHERENT
        from ttsr.models.correspondence.exact import EXACT

        matcher = COHERENT if search == "coherent" else EXACT
        with progress_bar(model) as progress:
            upscaler = Upscaler(model, device=device, precision=precision, matcher=matcher, progress=progress)
        if not ref:
            say("no --ref given: each picture serves as its own reference")
        with progress_bar("references") as progress:
            references = upscaler.encode_references(pixels, progress=progress)
        report["device"] = str(upscaler.device)
        return upscaler, references

    def start(job: Job, picture: Picture, plan: "Plan") -> Progress:
        for note in picture.notes if job.source not in ref else ():  # else said of the reference
            say(f"{job.source}: {note}")
        if plan.seconds > _ANNOUNCED_S:
            memory = gigabytes(plan.memory_bytes)
            say(f"{job.source}: {_by(picture)}, this will take about {plan.seconds:.0f} s and {memory}")
        return bar.enter_context(progress_bar(job.source.name))

    with ExitStack() as bar:
        for result in run_jobs(jobs, ready, start):
            bar.close()
            yield result


def _facts(result: JobResult, before: Picture, upscaled: "Upscaled") -> dict[str, Any]:
    return {
        "input": str(result.job.source),
        "output": str(result.job.target),
        "input_size": list(before.size),
        "output_size": list(upscaled.picture.size),
        "seconds": round(upscaled.seconds, 3),
        "peak_memory_bytes": upscaled.peak_memory_bytes,
        "mean_relevance": round(float(upscaled.relevance.mean()), 4),
        "estimate": {"seconds": round(upscaled.plan.seconds, 3), "memory_bytes": upscaled.plan.memory_bytes},
        "notes": [*upscaled.notes, *result.losses],
    }


def _by(picture: Picture) -> str:
    return "{}x{}".format(*picture.size)
