"""Routes whose forms have few and short fields, so that a request takes little memory."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

_MOST_FILES, _MOST_FIELDS, _LONGEST_FIELD = 100, 100, 4096


class _FormRequest(Request):
    def form(self, **limits: Any) -> Any:
        """The form, within limits that the framework's own exceed by far."""
        return super().form(max_files=_MOST_FILES, max_fields=_MOST_FIELDS, max_part_size=_LONGEST_FIELD)


class FormRoute(APIRoute):
    """A route that reads its form within limits."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """As FastAPI's."""
        handle = super().get_route_handler()

        async def handle_form(request: Request) -> Response:
            return await handle(_FormRequest(request.scope, request.receive))

        return handle_form
