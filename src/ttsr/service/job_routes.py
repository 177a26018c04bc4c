"""Routes under `/v1/jobs`."""

from collections.abc import AsyncIterator
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse
from sse_starlette import EventSourceResponse

from ttsr.service.access import client_address
from ttsr.service.job import Job
from ttsr.service.job_form import Service, job_form
from ttsr.service.job_request import JobRequest
from ttsr.service.picture_routes import PROBLEMS
from ttsr.service.running_service import REMOVED
from ttsr.service.schemas import JobAnswer, Problem, SourceAnswer

Format = Literal["png", "jpg", "webp", "tiff"]
Shown = Literal["bicubic", "result", "without", "relevance", "confidence", "provenance"]
_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "tiff": "image/tiff"}

_MORE: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "There is no such job, or not any more."},
    409: {"model": Problem, "description": "The job has no result, or none yet."},
}
job_routes = APIRouter(prefix="/v1/jobs", responses=PROBLEMS | _MORE)


def found_job(job_id: str, service: Service) -> Job:
    """The job of an id."""
    job = service.queue.get(job_id)
    if job is None:
        raise HTTPException(404, REMOVED)
    return job


def finished_job(job: Annotated[Job, Depends(found_job)]) -> Job:
    """The same, if it has a result."""
    if job.state != "done":
        raise HTTPException(409, f"the job has no result: it is {job.state}")
    return job


FoundJob = Annotated[Job, Depends(found_job)]
FinishedJob = Annotated[Job, Depends(finished_job)]


@job_routes.post("", status_code=202, responses={429: {"model": Problem, "description": "No room for more jobs."}})
async def submit_job(
    request: Request, response: Response, service: Service, asked: Annotated[JobRequest, Depends(job_form)]
) -> JobAnswer:
    """Ask for a picture to be upscaled."""
    job = await service.submit(asked, client_address(request.scope))
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return JobAnswer.of(job)


@job_routes.get("/{job_id}")
async def read_job(job: FoundJob) -> JobAnswer:
    """A job as it is now."""
    return JobAnswer.of(job)


@job_routes.get("/{job_id}/events", response_class=EventSourceResponse)
async def follow_job(request: Request, job: FoundJob) -> Response:
    """Server-sent events: the job as `GET /v1/jobs/{id}` gives it, at each change, until it has ended."""
    if job.has_ended and request.headers.get("last-event-id") == str(job.version):
        return Response(status_code=204)  # which ends the attempts of a browser to connect again

    async def events() -> AsyncIterator[dict[str, str]]:
        sent = -1
        while True:
            if job.version != sent:
                sent, ended = job.version, job.has_ended
                yield {"id": str(sent), "data": JobAnswer.of(job).model_dump_json()}
                if ended:
                    return
            else:
                await job.changes.wait()

    return EventSourceResponse(events())


@job_routes.post("/{job_id}/cancel")
async def cancel_job(service: Service, job: FoundJob) -> JobAnswer:
    """Cancel a job; one that has ended stays as it is."""
    service.queue.cancel(job)
    return JobAnswer.of(job)


@job_routes.delete("/{job_id}")
async def remove_job(service: Service, job: FoundJob) -> JobAnswer:
    """Remove a job with all that is kept of it; one that has not ended is cancelled."""
    service.queue.remove(job)
    return JobAnswer.of(job)


@job_routes.get("/{job_id}/result", response_class=FileResponse)
async def read_result(service: Service, job: FinishedJob, format: Annotated[Format, Query()] = "png") -> FileResponse:
    """The result, with colour profile and metadata of the picture."""
    file = await service.result(job, f".{format}")
    name = f"{PurePath(job.request.lr.name).stem}_x{job.request.scale}.{format}"
    return _answer(file, _TYPES[format], filename=name, content_disposition_type="inline")


@job_routes.get("/{job_id}/pictures/{what}", response_class=FileResponse)
async def read_picture(service: Service, job: FinishedJob, what: Shown) -> FileResponse:
    """A picture of the job as PNG; maps are over the picture in gray, as large as four times it."""
    file = await service.picture(job, what)
    if file is None:
        raise HTTPException(404, "there is no result without references: ask for it by without=true with the job")
    return _answer(file, "image/png")


@job_routes.get("/{job_id}/references/{number}", response_class=FileResponse)
async def read_reference(service: Service, job: FoundJob, number: int) -> FileResponse:
    """A reference, upright, in its own pixels, as JPEG."""
    return _reference(job, await service.reference(job, number))


@job_routes.get("/{job_id}/references/{number}/colours", response_class=FileResponse)
async def read_reference_colours(service: Service, job: FinishedJob, number: int) -> FileResponse:
    """A reference in gray under the colours that its places have in the provenance map, as JPEG, the map's key."""
    return _reference(job, await service.reference_colours(job, number))


def _reference(job: Job, file: Path | None) -> FileResponse:
    if file is None:
        raise HTTPException(404, f"the job has {len(job.request.references)} references, counted from 0")
    return _answer(file, "image/jpeg")


def _answer(file: Path, media_type: str, **options: Any) -> FileResponse:
    try:
        return FileResponse(file, media_type=media_type, stat_result=file.stat(), **options)
    except OSError:  # removed meanwhile
        raise HTTPException(404, REMOVED) from None


@job_routes.get("/{job_id}/source")
async def read_source(
    service: Service,
    job: FinishedJob,
    x: Annotated[int, Query(ge=0, description="column in pixels of the result")],
    y: Annotated[int, Query(ge=0, description="row there")],
) -> SourceAnswer | None:
    """Where the texture of a pixel of the result came from; null where no reference was used."""
    origin = await service.origin(job, x, y)
    if origin is None:
        return None
    facts = {name: getattr(origin, name) for name in ("x", "y", "relevance", "matched")}
    confidence = list(origin.confidence)
    return SourceAnswer(reference=origin.number, name=origin.source.name, confidence=confidence, **facts)
