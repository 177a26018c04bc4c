"""The form by which clients ask for plans and jobs."""

import inspect
from typing import Annotated, Literal

from fastapi import Depends, File, Form, Request, UploadFile
from pydantic import BeforeValidator

from ttsr.errors import UserError
from ttsr.options import (
    DEFAULT_MATCH_COLOUR,
    DEFAULT_POSE,
    DEFAULT_PRECISION,
    DEFAULT_SEARCH,
    MatchColour,
    PoseSearch,
    PrecisionChoice,
    Search,
)
from ttsr.service.access import client_address
from ttsr.service.job_request import Choices, JobRequest, StoredPicture
from ttsr.service.running_service import Refused, RunningService

_SHA256 = "^[0-9a-f]{64}$"
_Digest = Annotated[str, Form(pattern=_SHA256, description="SHA-256 of a picture that was uploaded before")]
# The values of a form are text.
_Scale = Annotated[Literal[2, 3, 4, 8], BeforeValidator(int)]


def running(request: Request) -> RunningService:
    """The service that a request is for."""
    return request.app.state.service


Service = Annotated[RunningService, Depends(running)]


async def job_form(
    request: Request,
    service: Service,
    lr: Annotated[UploadFile | None, File(description="the picture to upscale")] = None,
    lr_digest: Annotated[str | None, Form(pattern=_SHA256, description="or its digest")] = None,
    reference: Annotated[list[UploadFile], File(description="sharp pictures of the same thing")] = [],  # noqa: B006
    reference_digest: Annotated[list[_Digest], Form(description="or their digests")] = [],  # noqa: B006
    model: Annotated[str | None, Form(description="one of `/v1/models`; by default the first")] = None,
    precision: Annotated[PrecisionChoice, Form()] = DEFAULT_PRECISION,
    search: Annotated[Search, Form()] = DEFAULT_SEARCH,
    pose: Annotated[PoseSearch, Form()] = DEFAULT_POSE,
    match_colour: Annotated[MatchColour, Form()] = DEFAULT_MATCH_COLOUR,
    ensemble: Annotated[bool, Form()] = False,
    scale: Annotated[_Scale, Form()] = 4,
    without: Annotated[bool, Form(description="also make the result without references, to compare with")] = False,
) -> JobRequest:
    """The request of a form, with its pictures in the store.

    Raises:
        Refused: a picture is too large, or a digest unknown.
        UserError: a picture cannot be read, or something is missing or empty.
    """
    sent = await request.form()
    # FastAPI takes an empty text for none, and would go on with the default.
    empty = next((name for name in inspect.signature(job_form).parameters if "" in sent.getlist(name)), None)
    if empty is not None:
        raise UserError(f"{empty}: is empty", "give a value, or leave the field out")
    names = [*service.pool.models]
    model = model or names[0]
    if model not in names:
        raise UserError(f"model {model!r}: is not offered here", f"choose {' or '.join(names)}")
    if (lr is None) == (lr_digest is None):
        raise UserError("lr: a picture to upscale is needed, once", "send it as lr, or its digest as lr_digest")
    if len(reference) + len(reference_digest) > service.settings.references:
        raise Refused(422, f"more than {service.settings.references} references: choose fewer")
    client = client_address(request.scope)

    async def stored(upload: UploadFile) -> StoredPicture:
        return await service.receive(upload.file, upload.filename, client)

    picture = await stored(lr) if lr is not None else known(service, lr_digest or "", client)
    references = [await stored(upload) for upload in reference]
    references += [known(service, digest, client) for digest in reference_digest]
    choices = Choices(model, precision, search, pose, match_colour, ensemble)
    return JobRequest(picture, tuple(references), choices, scale, without)


def known(service: RunningService, digest: str, client: str) -> StoredPicture:
    """The picture of a digest.

    Raises:
        Refused: it is not here, or not any more.
    """
    picture = service.pictures.get(digest, client)
    if picture is None:
        raise Refused(404, f"{digest[:12]}…: no picture with this digest is kept here: upload it")
    return picture
