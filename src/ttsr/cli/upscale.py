"""`ttsr upscale`."""

import json as json_format
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ttsr.cli.bars import progress_bar
from ttsr.cli.printing import say, tell
from ttsr.cli.shared_options import DeviceOption, PrecisionOption
from ttsr.errors import UserError
from ttsr.images.picture import Picture
from ttsr.inference.jobs import Job, JobResult, plan_jobs, run_jobs
from ttsr.inference.references import ReferencePixels, read_reference
from ttsr.options import DEFAULT_DEVICE, DEFAULT_MODEL, DEFAULT_PRECISION, Device, Precision
from ttsr.progress import Progress
from ttsr.system.files import refuse_overwriting
from ttsr.system.memory import gigabytes

if TYPE_CHECKING:
    from ttsr.inference.plan import Plan
    from ttsr.inference.references import Reference
    from ttsr.inference.upscaler import Upscaler

# Longer work is announced with what it will take.
_ANNOUNCED_S = 2.0


def upscale(
    *lr: str,
    ref: Annotated[tuple[Path, ...], Parameter(negative=(), show_default=False)] = (),
    out: Annotated[str | None, Parameter(name=["--out", "-o"])] = None,
    model: str = DEFAULT_MODEL,
    device: DeviceOption = DEFAULT_DEVICE,
    precision: PrecisionOption = DEFAULT_PRECISION,
    json: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Upscale pictures four times, with the textures of one or more reference pictures.

    Parameters
    ----------
    lr
        Pictures to upscale, or folders of them: PNG, JPEG, WebP, TIFF and a few more.
    ref
        A sharp picture of the same thing; may be given several times. Without any, each picture is its own
        reference.
    out
        The file to write (.png, .jpg, .webp or .tiff), or a folder for several. Default: NAME_x4.png beside
        NAME, and FOLDER_x4 for a folder. A file that exists is replaced, but never an input.
    model
        A name from the catalogue, a checkpoint file, or a URL.
    json
        Print one JSON object for programs to stdout instead of lines for people.
    """
    start = time.perf_counter()
    report = _Report(pictures=[], errors=[], talk=not json)
    engine = _Engine(ref, model, device, precision)
    try:
        _upscale_all(lr, out, engine, report)
    except UserError as error:
        report.errors.append({"input": None, "error": str(error)})
        raise
    finally:
        if json:
            facts = engine.facts() | {"pictures": report.pictures, "errors": report.errors}
            tell(json_format.dumps(facts | {"seconds": round(time.perf_counter() - start, 3)}))
    for error in report.errors:
        say(str(error["error"]))
    return 2 if report.errors else 0


def _upscale_all(lr: tuple[str, ...], out: str | None, engine: "_Engine", report: "_Report") -> None:
    """Upscale every picture that can be read and written; errors of single ones go to the report.

    Raises:
        UserError: something that all pictures need is missing or wrong.
    """
    if not lr:
        raise UserError("name at least one picture to upscale")
    if "" in lr:  # which a path would take for the current folder
        raise UserError("'' names no picture; give . for those of this folder")
    jobs = plan_jobs([Path(name) for name in lr], out)
    inputs = [*engine.ref, *(job.source for job in jobs), Path(engine.model)]
    refuse_overwriting((job.target for job in jobs), inputs)
    pixels = engine.read_references()
    with ExitStack() as bar:

        def start(job: Job, picture: Picture, plan: "Plan") -> Progress:
            for note in picture.notes if job.source not in engine.ref else ():  # else said of the reference
                say(f"{job.source}: {note}")
            if plan.seconds > _ANNOUNCED_S:
                memory = gigabytes(plan.memory_bytes)
                say(f"{job.source}: {_by(picture)}, this will take about {plan.seconds:.0f} s and {memory}")
            return bar.enter_context(progress_bar(job.source.name))

        for result in run_jobs(jobs, lambda: engine.ready(pixels), start):
            bar.close()
            report.add(result)


@dataclass
class _Engine:
    """The upscaler and its references, made when the first good picture needs them."""

    ref: tuple[Path, ...]
    model: str
    device: Device
    precision: Precision
    made: "tuple[Upscaler, tuple[Reference, ...]] | None" = None

    def read_references(self) -> list[ReferencePixels]:
        pixels = []
        for path in self.ref:
            pixels.append(read_reference(path))
            for note in pixels[-1].notes:
                say(f"{path}: {note}")
        return pixels

    def ready(self, pixels: list[ReferencePixels]) -> "tuple[Upscaler, tuple[Reference, ...]]":
        if self.made is None:
            from ttsr.inference.upscaler import Upscaler

            with progress_bar(self.model) as progress:
                upscaler = Upscaler(self.model, device=self.device, precision=self.precision, progress=progress)
            if not pixels:
                say("no --ref given: each picture serves as its own reference")
            with progress_bar("references") as progress:
                self.made = upscaler, upscaler.encode_references(pixels, progress=progress)
        return self.made

    def facts(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "device": str(self.made[0].device) if self.made else self.device,
            "precision": self.precision,
            "references": [str(path) for path in self.ref],
            "own_reference": not self.ref,
        }


@dataclass
class _Report:
    """What became of each picture."""

    pictures: list[dict[str, Any]]
    errors: list[dict[str, str | None]]
    talk: bool

    def add(self, result: JobResult) -> None:
        job, before, upscaled = result.job, result.picture, result.upscaled
        if result.error is not None:
            text = str(result.error)
            if not text.startswith((f"{job.source}: ", f"{job.target}: ")):
                text = f"{job.source}: {text}"
            self.errors.append({"input": str(job.source), "error": text})
        if upscaled is None or before is None:
            return
        for loss in result.losses:
            say(f"{job.target}: {loss}")
        relevance = float(upscaled.relevance.mean())
        self.pictures.append(
            {
                "input": str(job.source),
                "output": str(job.target),
                "input_size": list(before.size),
                "output_size": list(upscaled.picture.size),
                "seconds": round(upscaled.seconds, 3),
                "peak_memory_bytes": upscaled.peak_memory_bytes,
                "mean_relevance": round(relevance, 4),
                "estimate": {
                    "seconds": round(upscaled.plan.seconds, 3),
                    "memory_bytes": upscaled.plan.memory_bytes,
                },
                "notes": [*upscaled.notes, *result.losses],
            }
        )
        if self.talk:
            tell(
                f"{job.source} {_by(before)} -> {job.target} {_by(upscaled.picture)} "
                f"in {upscaled.seconds:.1f} s, peak memory {gigabytes(upscaled.peak_memory_bytes)}, "
                f"mean relevance {relevance:.3f}"
            )


def _by(picture: Picture) -> str:
    return "{}x{}".format(*picture.size)
