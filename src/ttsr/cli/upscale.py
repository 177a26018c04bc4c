"""`ttsr upscale`."""

import json as json_format
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ttsr.cli.bars import LateBar
from ttsr.cli.printing import say, tell
from ttsr.errors import UserError
from ttsr.images.picture import Picture
from ttsr.images.reading import read_picture
from ttsr.images.writing import check_fits_format
from ttsr.inference.jobs import Job, plan_jobs, prepare_target
from ttsr.inference.references import reference_pixels
from ttsr.options import Device, Precision
from ttsr.system.files import refuse_overwriting
from ttsr.system.gigabytes import gigabytes

if TYPE_CHECKING:
    from ttsr.inference.upscaler import Upscaled, Upscaler

# Longer work is announced with what it will take.
_ANNOUNCED_S = 2.0


def upscale(
    *lr: str,
    ref: Annotated[tuple[Path, ...], Parameter(negative=(), show_default=False)] = (),
    out: Annotated[str | None, Parameter(name=["--out", "-o"])] = None,
    model: str = "ttsr-lite",
    device: Device = "auto",
    precision: Precision = "fp32",
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
        NAME, and FOLDER_x4 for a folder. A file that exists is replaced, but never one that was read.
    model
        A name from the catalogue, a checkpoint file, or a URL.
    device
        Where to compute; auto takes a GPU if there is one.
    precision
        fp32 is exact; bf16 and fp16 are faster on GPUs.
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
            facts = engine.facts | {"pictures": report.pictures, "errors": report.errors}
            tell(json_format.dumps(facts | {"seconds": round(time.perf_counter() - start, 3)}))
    for error in report.errors:
        say(str(error["error"]))
    return 2 if report.errors else 0


def _upscale_all(lr: tuple[str, ...], out: str | None, engine: "_Engine", report: "_Report") -> None:
    """Upscale every picture that can be; what is wrong with single ones is left to the report.

    Raises:
        UserError: something that all pictures need is not right.
    """
    if not lr:
        raise UserError("name at least one picture to upscale")
    if "" in lr:  # which a path would take for the current folder
        raise UserError("'' names no picture; give . for those of this folder")
    jobs = plan_jobs([Path(name) for name in lr], out)
    refuse_overwriting((job.target for job in jobs), [*engine.ref, *(job.source for job in jobs)])
    engine.read_references()
    for job in jobs:
        try:
            picture = _read(job.source)
            check_fits_format(job.target, (4 * picture.size[0], 4 * picture.size[1]))
            prepare_target(job)
        except UserError as error:
            report.add_error(job, error)
            continue
        upscaler = engine.upscaler
        try:
            result = _upscale_one(upscaler, picture, job)
            losses = result.save(job.target)
        except UserError as error:
            report.add_error(job, error)
            continue
        for loss in losses:
            say(f"{job.target}: {loss}")
        report.add_picture(job, picture, result, losses)


def _upscale_one(upscaler: "Upscaler", picture: Picture, job: Job) -> "Upscaled":
    plan = upscaler.plan(picture)
    if plan.seconds > _ANNOUNCED_S:
        memory = gigabytes(plan.memory_bytes)
        say(f"{job.source}: {_by(picture)}, this will take about {plan.seconds:.0f} s and {memory}")
    with LateBar(job.source.name) as bar:
        return upscaler.upscale(picture, progress=bar)


@dataclass
class _Engine:
    """The upscaler, made when the first good picture needs it: bad ones need not wait for torch."""

    ref: tuple[Path, ...]
    model: str
    device: Device
    precision: Precision
    references: tuple[Picture, ...] = ()

    def read_references(self) -> None:
        self.references = tuple(_read(path) for path in self.ref)
        for path, picture in zip(self.ref, self.references, strict=True):
            reference_pixels(picture, str(path))  # to see that it is large enough

    @cached_property
    def upscaler(self) -> "Upscaler":
        from ttsr.inference.upscaler import Upscaler

        upscaler = Upscaler(self.model, device=self.device, precision=self.precision)
        if not self.references:
            say("no --ref given: each picture serves as its own reference")
        with LateBar("references") as bar:
            upscaler.set_references(self.references, progress=bar)
        return upscaler

    @property
    def facts(self) -> dict[str, Any]:
        made: Upscaler | None = self.__dict__.get("upscaler")
        return {
            "model": self.model,
            "device": str(made.device) if made else self.device,
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

    def add_picture(self, job: Job, before: Picture, result: "Upscaled", losses: tuple[str, ...]) -> None:
        relevance = float(result.relevance.mean())
        self.pictures.append(
            {
                "input": str(job.source),
                "output": str(job.target),
                "input_size": list(before.size),
                "output_size": list(result.picture.size),
                "seconds": round(result.seconds, 3),
                "peak_memory_bytes": result.peak_memory_bytes,
                "mean_relevance": round(relevance, 4),
                "estimate": {
                    "seconds": round(result.plan.seconds, 3),
                    "memory_bytes": result.plan.memory_bytes,
                },
                "notes": [*result.notes, *losses],
            }
        )
        if self.talk:
            tell(
                f"{job.source} {_by(before)} -> {job.target} {_by(result.picture)} "
                f"in {result.seconds:.1f} s, peak memory {gigabytes(result.peak_memory_bytes)}, "
                f"mean relevance {relevance:.3f}"
            )

    def add_error(self, job: Job, error: UserError) -> None:
        text = str(error)
        if not text.startswith((f"{job.source}: ", f"{job.target}: ")):
            text = f"{job.source}: {text}"
        self.errors.append({"input": str(job.source), "error": text})


def _read(path: Path) -> Picture:
    picture = read_picture(path)
    for note in picture.notes:
        say(f"{path}: {note}")
    return picture


def _by(picture: Picture) -> str:
    return "{}x{}".format(*picture.size)
