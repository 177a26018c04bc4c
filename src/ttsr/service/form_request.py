"""Routes whose forms have few and short fields, so that a request takes little memory."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import FormData

_MOST_FIELDS, _LONGEST_FIELD = 100, 4096


class _FormRequest(Request):
    async def form(self, **limits: Any) -> FormData:  # type: ignore[override]
        """The form, within limits that the framework's own exceed by far."""
        most = 2 * (self.app.state.service.settings.references + 1)  # each may take an open file
        try:
            return await super().form(max_files=most, max_fields=_MOST_FIELDS, max_part_size=_LONGEST_FIELD)
        except OSError:
            raise HTTPException(503, "the service has no room for this request: try again later") from None


class FormRoute(APIRoute):
    """A route that reads its form within limits."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """As FastAPI's."""
        handle = super().get_route_handler()

        async def handle_form(request: Request) -> Response:
            return await handle(_FormRequest(request.scope, request.receive))

        return handle_form
