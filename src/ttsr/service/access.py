"""Who may call the service, and what browsers are told about its answers."""

import hmac
import ipaddress
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ttsr.service.settings import ServiceSettings, is_loopback

_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_OWN_PAGES_ONLY = {"Cross-Origin-Resource-Policy": "same-origin"}
# What a job's id opens by itself: elements of a page that load pictures and events can send no token.
_BY_ID = "/v1/jobs/"
_OPEN = ("/healthz", "/readyz")


class Access:
    """Middleware: refuses foreign hosts, foreign pages and missing tokens, and sets security headers, also of errors.

    Args:
        app: what it stands before.
        settings: the service's.
        answered: told the status of each answer.
    """

    def __init__(self, app: ASGIApp, settings: ServiceSettings, answered: Callable[[int], None]) -> None:
        self._app, self._settings, self._answered = app, settings, answered
        self._headers = _HEADERS if settings.allow_origins else _HEADERS | _OWN_PAGES_ONLY

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        started = False

        async def with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._answered(message["status"])
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/v1"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refused = self._refusal(scope)
        try:
            await (self._app if refused is None else refused)(scope, receive, with_headers)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            if not started:
                fault = JSONResponse({"detail": "an error of the service, which its log describes"}, 500)
                await fault(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers, settings = Headers(scope=scope), self._settings
        host = _name(headers.get("host", ""))
        if is_loopback(settings.host) and not (is_loopback(host) or host in settings.allow_hosts):
            # A name that an attacker's server has pointed here: the pages of that name are not this service's.
            return JSONResponse({"detail": f"{host or 'no host'}: this service is not called so"}, 421)
        origin = headers.get("origin")
        if origin is not None and scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            own = origin in (f"http://{headers.get('host')}", f"https://{headers.get('host')}")
            if not (own or origin in settings.allow_origins):
                return JSONResponse({"detail": f"{origin}: pages of this origin may not use the service"}, 403)
        if settings.token is not None and needs_token(scope["path"], scope["method"]):
            scheme, _, given = headers.get("authorization", "").partition(" ")
            right = hmac.compare_digest(given.strip().encode(), settings.token.encode())
            if scheme.lower() != "bearer" or not right:
                told = {"WWW-Authenticate": "Bearer"}
                return JSONResponse({"detail": "a token is needed: send Authorization: Bearer TOKEN"}, 401, told)
        return None


def needs_token(path: str, method: str) -> bool:
    """Whether a request needs the token, where there is one."""
    if method == "OPTIONS":  # a browser asks whether it may ask
        return False
    reads, page = method in ("GET", "HEAD"), not path.startswith(("/v1", "/metrics", "/openapi.json"))
    return not (path in _OPEN or (reads and (page or path.startswith(_BY_ID))))


def _name(host: str) -> str:
    """A Host header without its port; empty where it is no such header."""
    found = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]{1,5})?", host.lower())
    return "" if found is None else found[1] or found[2]


def client_address(scope: Mapping[str, Any]) -> str:
    """The address that jobs are counted by: of IPv6 the network, in which a client has all addresses."""
    host = (scope.get("client") or ("unknown", 0))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:  # of a socket for both
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(address), 64), strict=False))
    return host
