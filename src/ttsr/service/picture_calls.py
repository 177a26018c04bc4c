"""Short calls to a worker: look at a picture, and plan a job."""

from pathlib import Path

import numpy as np

from ttsr.errors import ImageError
from ttsr.images.picture import Picture
from ttsr.images.reading import decode_picture, stored_size
from ttsr.images.transparency import is_constant
from ttsr.inference.references import Reference, ReferencePixels, ReferenceSource
from ttsr.inference.sizes import plan_to
from ttsr.models.config import SCALE
from ttsr.progress import Progress
from ttsr.service.job_request import Choices, JobPlan, JobRequest, Size, StoredPicture
from ttsr.service.worker_models import WorkerModels


def inspect(models: WorkerModels, progress: Progress, file: Path, name: str, pixels: int) -> tuple[Size, bool]:
    """Read a picture to see that it can be: its upright size, and whether it has transparency that varies.

    One of more than so many pixels is not decoded: its size is told as it is stored.

    Raises:
        ImageError: it cannot be read.
    """
    data = file.read_bytes()
    width, height = stored_size(data, name)
    if width * height > pixels:
        return (width, height), False
    picture = decode_picture(data, name)
    return picture.size, picture.alpha is not None and not is_constant(picture.alpha)


def calibrate(models: WorkerModels, progress: Progress) -> None:
    """Let the plans of the default model measure how fast this machine is: they do so once, best while it is idle.

    Raises:
        UserError: not even a small picture fits into the worker's memory.
    """
    lr, reference = (StoredPicture(Path(), "", "a small picture", size, False, 0) for size in ((64, 64), (256, 256)))
    plan(models, progress, JobRequest(lr, (reference,), Choices(next(iter(models.places)))))


def plan(models: WorkerModels, progress: Progress, request: JobRequest) -> JobPlan:
    """Estimate what a job takes, in a worker that has nothing else to do.

    Raises:
        UserError: it does not fit into the worker's memory, or the options do not fit together.
    """
    upscaler, size = models.upscaler(request.choices), request.lr.size
    result = request.scale * size[0], request.scale * size[1]
    references = [Reference(_blank_reference(stored)) for stored in request.references]
    picture = _blank(request.lr)
    made = plan_to(upscaler, picture, result, references, free=models.max_memory)
    seconds = made.seconds
    if request.without and references:
        seconds += plan_to(upscaler, picture, result, (), free=models.max_memory).seconds
    return JobPlan(seconds, made.memory_bytes, *result)


def _blank(stored: StoredPicture) -> Picture:
    """A picture of its size that takes no memory: plans depend on nothing else."""
    width, height = stored.size
    rgb = np.broadcast_to(np.zeros(1, np.uint8), (height, width, 3))
    if not stored.transparent:
        return Picture(rgb)
    alpha = np.zeros((height, width), np.uint8)
    alpha[0, 0] = 255
    return Picture(rgb, alpha)


def _blank_reference(stored: StoredPicture) -> ReferencePixels:
    width, height = (side - side % SCALE for side in stored.size)
    if min(width, height) < SCALE:
        raise ImageError(f"{stored.name}: a reference needs at least {SCALE}x{SCALE} pixels")
    rgb = np.broadcast_to(np.zeros(1, np.uint8), (height, width, 3))
    return ReferencePixels(rgb, ReferenceSource(stored.name, stored.digest, stored.size))
