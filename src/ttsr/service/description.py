"""The OpenAPI description, with what only a service that runs knows: its models, limits, and what needs its token."""

from typing import Any

from fastapi import FastAPI

from ttsr.service.access import needs_token
from ttsr.service.running_service import RunningService

_PICTURES = "image/png, image/jpeg, image/webp, image/tiff"
_JOBS = "/v1/jobs"
_FILES = ("lr", "reference", "file")


def describe(application: FastAPI) -> None:
    """Let the description of an application say so."""
    make = application.openapi

    def openapi() -> dict[str, Any]:
        is_new = application.openapi_schema is None
        description = make()
        if is_new:
            _complete(description, application.state.service)
        return description

    application.openapi = openapi


def _complete(description: dict[str, Any], service: RunningService) -> None:
    with_token = service.settings.token is not None
    schemas = description["components"]["schemas"]
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            needed = needs_token(path, method.upper())
            if not (with_token and needed):
                operation["responses"].pop("401", None)
                operation["security"] = []
            for content in operation.get("requestBody", {}).get("content", {}).values():
                operation["requestBody"]["required"] = True
                _complete_form(content, schemas[content["schema"]["$ref"].rpartition("/")[2]], service)
    _add_links(description["paths"])


def _add_links(paths: dict[str, Any]) -> None:
    """From a job that is sent to what can be asked about it."""
    about = [one["operationId"] for path, of in paths.items() for one in of.values() if path.startswith(f"{_JOBS}/")]
    links = {name: {"operationId": name, "parameters": {"job_id": "$response.body#/id"}} for name in about}
    paths[_JOBS]["post"]["responses"]["202"]["links"] = links


def _complete_form(content: dict[str, Any], form: dict[str, Any], service: RunningService) -> None:
    fields = form["properties"]
    content["encoding"] = {name: {"contentType": _PICTURES} for name in _FILES if name in fields}
    for name, field in fields.items():
        if "anyOf" in field:  # a form has no null: what is not sent is not there
            fields[name] = field.pop("anyOf")[0] | field
    if "lr" not in fields:
        return
    form["oneOf"] = [{"required": ["lr"]}, {"required": ["lr_digest"]}]
    for name in ("reference", "reference_digest"):
        fields[name]["maxItems"] = service.settings.references
        fields[name]["description"] += f"; at most {service.settings.references} of both together"
    fields["model"]["enum"] = [*service.pool.models]
    fields["precision"]["enum"] = ["auto", *service.pool.precisions]
