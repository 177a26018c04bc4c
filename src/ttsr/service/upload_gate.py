"""Bodies of requests: how many bytes, how fast, and whether it is worth receiving them."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ttsr.service.access import client_address
from ttsr.service.settings import ServiceSettings

_FORMS = [("POST", path) for path in ("/v1/images", "/v1/plan", "/v1/jobs")]
_AT_ONCE = 4  # so many of the largest bodies may be on their way at the same time
_COMPLETE = 128  # so many of any size may wait to be looked at


class UploadGate:
    """Middleware: counts the bytes of bodies as they come, and stops too many or too slow ones.

    Args:
        app: what it stands before.
        settings: the limits.
        check: raises an HTTPException where a request would be refused whatever its body is.
        received: told the number of bytes of each part.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: ServiceSettings,
        check: Callable[[Scope], None],
        received: Callable[[int], None],
    ) -> None:
        self._app, self._settings, self._check, self._received = app, settings, check, received
        self._on_their_way = self._complete = 0
        self._requests: Counter[str] = Counter()  # by client address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on with a body that is watched."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        length, kind = headers.get("content-length", ""), headers.get("content-type", "")
        client = client_address(scope)
        try:
            self._check(scope)
            if "content-length" in headers and "transfer-encoding" in headers:
                # A proxy that heeds the other one would take the rest for a request of its own.
                raise HTTPException(400, "the length of the request is told in two ways", {"Connection": "close"})
            if self._requests[client] >= self._settings.requests_per_client:
                what = "requests of yours are being received, and no more are taken: wait for them"
                raise HTTPException(429, f"{self._requests[client]} {what}", {"Retry-After": "1"})
            if (scope["method"], scope["path"]) in _FORMS and not kind.startswith("multipart/form-data"):
                raise HTTPException(415, "send a form, as multipart/form-data")
            if length.isdecimal() and int(length) > self._settings.request_bytes:
                raise self._too_large()
        except HTTPException as error:
            await JSONResponse({"detail": error.detail}, error.status_code, error.headers)(scope, receive, send)
            return
        held, complete, end = 0, False, time.monotonic() + self._settings.upload_seconds

        async def counted() -> Message:
            nonlocal held, complete
            if complete:  # what comes now is that the client has left
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(end - time.monotonic(), 0.001))
            except TimeoutError:
                raise HTTPException(408, "the request took too long to come") from None
            size, complete = len(message.get("body", b"")), not message.get("more_body", False)
            held, self._on_their_way = held + size, self._on_their_way + size
            self._received(size)
            if held > self._settings.request_bytes:
                raise self._too_large()
            too_many = complete and self._complete >= _COMPLETE
            self._complete += complete
            if too_many or self._on_their_way > _AT_ONCE * self._settings.request_bytes:
                raise HTTPException(503, "too much is being received: try again later", {"Retry-After": "5"})
            return message

        self._requests[client] += 1
        try:
            await self._app(scope, counted, send)
        finally:
            self._on_their_way -= held
            self._complete -= complete
            self._requests -= Counter([client])

    def _too_large(self) -> HTTPException:
        limit = self._settings.request_bytes / 1e6
        return HTTPException(413, f"the request has more than {limit:g} MB: send smaller or fewer pictures")
