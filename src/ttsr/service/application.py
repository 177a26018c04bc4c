"""The service as an ASGI application."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import Scope

from ttsr import __version__
from ttsr.errors import UserError
from ttsr.service.access import Access, client_address
from ttsr.service.description import describe
from ttsr.service.job_queue import QueueFull
from ttsr.service.job_routes import job_routes
from ttsr.service.picture_routes import picture_routes
from ttsr.service.running_service import Refused, RunningService
from ttsr.service.settings import ServiceSettings
from ttsr.service.upload_gate import UploadGate
from ttsr.service.worker_process import ServiceFault

_MOST_FIELDS, _LONGEST_FIELD = 100, 4096
_ABOUT = (
    "Enlarges pictures with the textures of reference pictures. Upload pictures, or send them with a job; follow the "
    "job by its id, which is a secret; fetch its result. Pictures and results are removed after a while."
)


def create_application(settings: ServiceSettings) -> FastAPI:
    """The service: its processes start and end with the application's lifespan.

    Raises:
        UserError: two models have the same name.
    """

    @asynccontextmanager
    async def lifespan(application: FastAPI) -> AsyncIterator[None]:
        service = application.state.service = RunningService(settings)
        await service.start()
        try:
            yield
        finally:
            await service.stop()

    # `Access` checks the token; here it is described only.
    described = [] if settings.token is None else [Depends(HTTPBearer(auto_error=False))]
    application = FastAPI(
        title="ttsr",
        version=__version__,
        description=_ABOUT,
        lifespan=lifespan,
        dependencies=described,
        redirect_slashes=False,
        # Their scripts come from elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    for routes in (picture_routes, job_routes):
        # So that a request takes little memory, and few open files.
        most = 2 * (settings.references + 1)
        application.include_router(
            routes, form_limits={"max_files": most, "max_fields": _MOST_FIELDS, "max_part_size": _LONGEST_FIELD}
        )
    _add_health(application)
    _add_errors(application)
    describe(application)

    def check(scope: Scope) -> None:
        service: RunningService = application.state.service
        if scope["path"] == "/v1/jobs":
            try:
                service.queue.check_room(client_address(scope))
            except QueueFull as full:
                raise HTTPException(429, str(full), {"Retry-After": str(full.retry_after)}) from None

    def received(num_bytes: int) -> None:
        application.state.service.metrics.received(num_bytes)

    def answered(status: int) -> None:
        application.state.service.metrics.answered(status)

    application.add_middleware(UploadGate, settings=settings, check=check, received=received)
    application.add_middleware(Access, settings=settings, answered=answered)
    if settings.allow_origins:
        application.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.allow_origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Last-Event-ID"],
            expose_headers=["Location", "Retry-After"],
        )
    return application


def _add_health(application: FastAPI) -> None:
    @application.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @application.get("/readyz", include_in_schema=False)
    async def readyz(request: Request) -> JSONResponse:
        ready = request.app.state.service.is_ready
        return JSONResponse({"status": "ready" if ready else "starting"}, 200 if ready else 503)

    @application.get("/metrics", include_in_schema=False)
    async def metrics(request: Request) -> Response:
        service: RunningService = request.app.state.service
        pool, queue = service.pool, service.queue
        workers = sum(worker.is_ready for worker in pool.workers)
        text = service.metrics.text(queue.states, queue.waiting, service.pictures.num_bytes, workers, pool.restarts)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_errors(application: FastAPI) -> None:
    """Errors become one line."""

    def answer(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
        return JSONResponse({"detail": " ".join(detail.split())}, status, headers)

    @application.exception_handler(UserError)
    async def bad_input(request: Request, error: UserError) -> JSONResponse:
        return answer(422, str(error))

    @application.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        return answer(error.status, str(error))

    @application.exception_handler(QueueFull)
    async def full(request: Request, error: QueueFull) -> JSONResponse:
        return answer(429, str(error), {"Retry-After": str(error.retry_after)})

    @application.exception_handler(ServiceFault)
    async def fault(request: Request, error: ServiceFault) -> JSONResponse:
        return answer(500, str(error))

    @application.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return answer(422, "; ".join(_line(one) for one in error.errors()))

    @application.exception_handler(StarletteHTTPException)
    async def http(request: Request, error: StarletteHTTPException) -> JSONResponse:
        if isinstance(error.__cause__, OSError):  # the framework takes what it cannot keep for bad input
            return answer(503, "the service has no room for this request: try again later")
        headers = dict(error.headers or {})
        if error.status_code == 405:  # the framework names the methods of one route, where a path has several
            headers["Allow"] = ", ".join(sorted(_methods(request)))
        return answer(error.status_code, str(error.detail), headers)


def _methods(request: Request) -> set[str]:
    """Those that the path of a request takes."""
    described = request.app.openapi()["paths"].items()
    patterns = {re.sub(r"\{\w+\}", "[^/]+", path): methods for path, methods in described}
    found = next((methods for path, methods in patterns.items() if re.fullmatch(path, request.url.path)), {"get": None})
    return {method.upper() for method in found}


def _line(error: dict[str, Any]) -> str:
    place = [str(part) for part in error["loc"] if part not in ("body", "query", "path")]
    return f"{'.'.join(place) or 'the request'}: {error['msg'][0].lower()}{error['msg'][1:]}"
