"""Routes under `/v1` for pictures, plans and models."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Request, UploadFile

from ttsr.service.access import client_address
from ttsr.service.job_form import Service, job_form
from ttsr.service.job_request import JobRequest
from ttsr.service.schemas import ModelAnswer, ModelsAnswer, PictureAnswer, PlanAnswer, Problem

PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body is no form."},
    401: {"model": Problem, "description": "A token is needed."},
    403: {"model": Problem, "description": "A page of another origin asks."},
    404: {"model": Problem, "description": "No picture with a digest is kept."},
    408: {"model": Problem, "description": "The body took too long to come."},
    415: {"model": Problem, "description": "The body is not multipart/form-data."},
    413: {"model": Problem, "description": "Too many bytes or pixels."},
    421: {"model": Problem, "description": "The service is not called by this name."},
    422: {"model": Problem, "description": "Bad input."},
    500: {"model": Problem, "description": "An error of the service."},
    503: {"model": Problem, "description": "The service is starting, or receives too much."},
}
picture_routes = APIRouter(prefix="/v1", responses=PROBLEMS)


@picture_routes.post("/images")
async def upload_picture(
    request: Request, service: Service, file: Annotated[UploadFile, File(description="PNG, JPEG, WebP, TIFF ...")]
) -> PictureAnswer:
    """Upload a picture, to be named by its digest in plans and jobs."""
    stored = await service.receive(file.file, file.filename, client_address(request.scope))
    return PictureAnswer.of(stored)


@picture_routes.post("/plan")
async def plan_job(service: Service, asked: Annotated[JobRequest, Depends(job_form)]) -> PlanAnswer:
    """Estimate what a job will take; what is refused here would be refused as a job."""
    return PlanAnswer.of(await service.plan(asked))


@picture_routes.get("/models")
async def list_models(service: Service) -> ModelsAnswer:
    """The models that can be chosen."""
    names = [*service.pool.models]
    return ModelsAnswer(models=[ModelAnswer(name=name, default=name == names[0]) for name in names])
