"""The long call to a worker: do a job, and write what its client may ask for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ttsr.errors import UserError
from ttsr.images.picture import Picture
from ttsr.inference.references import Reference
from ttsr.inference.sizes import plan_to, upscale_to
from ttsr.inference.texture_origins import reference_facts, shares
from ttsr.inference.upscaled import Upscaled
from ttsr.inference.upscaler import Upscaler
from ttsr.progress import Progress
from ttsr.service.job_request import MATCHES, RESULT, WITHOUT, JobRequest
from ttsr.service.matches import write_matches
from ttsr.service.stored_pictures import read_stored
from ttsr.service.worker_models import WorkerModels

_WITHOUT_SHARE, _FITTING_SHARE, _WRITING_SHARE = 0.3, 0.1, 0.05  # of the time, about


def upscale(models: WorkerModels, progress: Progress, request: JobRequest, folder: Path) -> dict[str, Any]:
    """Do a job; its results are written into the folder.

    Returns:
        What is said of the result: sizes, seconds, how references were used, notes.

    Raises:
        UserError: a picture cannot be read, or it does not fit into memory.
        Cancelled: through `progress`.
    """
    picture = read_stored(request.lr)
    references = [Reference(models.reference(stored)) for stored in request.references]
    upscaler, start = models.upscaler(request.choices), 0.0
    if request.without and references:
        start = _WITHOUT_SHARE
        part = progress.part(0, start, "without references")
        without = _upscaled(models, upscaler, picture, (), request.scale, part)
        without.save(folder / WITHOUT)
    part = progress.part(start, 1 - _WRITING_SHARE)
    result = _upscaled(models, upscaler, picture, references, request.scale, part)
    progress.update(1 - _WRITING_SHARE, "writing")
    result.save(folder / RESULT)
    write_matches(result, folder / MATCHES)
    progress.update(1)
    return _facts(
        result, ["bicubic", "result", *(["without"] if start else []), "relevance", "confidence", "provenance"]
    )


def _upscaled(
    models: WorkerModels,
    upscaler: Upscaler,
    picture: Picture,
    references: Sequence[Reference],
    scale: int,
    progress: Progress,
) -> Upscaled:
    size = scale * picture.size[0], scale * picture.size[1]
    fitted = upscaler.fit_references(picture, references, progress=progress.part(0, _FITTING_SHARE, "fitting"))
    try:
        plan = plan_to(upscaler, picture, size, fitted)
    except UserError:  # what is kept of earlier jobs may be what is too much
        models.forget_references()
        plan = plan_to(upscaler, picture, size, fitted)
    return upscale_to(upscaler, picture, size, fitted, plan=plan, progress=progress.part(_FITTING_SHARE, 1))


def _facts(result: Upscaled, pictures: list[str]) -> dict[str, Any]:
    each = [] if result.own_reference else shares(result)
    return {
        "width": result.picture.size[0],
        "height": result.picture.size[1],
        "seconds": round(result.seconds, 3),
        "peak_memory_bytes": result.peak_memory_bytes,
        "own_reference": result.own_reference,
        "mean_relevance": round(float(np.mean(result.relevance)), 4),
        "unmatched": round(result.unmatched, 4),
        "notes": list(result.notes),
        "pictures": pictures,
        "references": [
            {
                **reference_facts(reference),
                "sha256": reference.source.sha256,
                "width": reference.source.size[0],
                "height": reference.source.size[1],
                "left_out": reference.left_out,
                "share": round(share, 4),
                "notes": list(reference.original.notes),
            }
            for reference, share in zip(result.references, each, strict=not result.own_reference)
        ],
    }
