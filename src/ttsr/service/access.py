"""Who may call the service, and what browsers are told about its answers."""

import hmac
import ipaddress
from collections.abc import Callable

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
# What a job's id opens by itself: elements of a page that load pictures and events can send no token.
_BY_ID = "/v1/jobs/"
_OPEN = ("/healthz", "/readyz")


class Access:
    """Middleware: refuses foreign hosts, foreign pages and missing tokens, and sets security headers.

    Args:
        app: what it stands before.
        settings: the service's.
        answered: told the status of each answer.
    """

    def __init__(self, app: ASGIApp, settings: ServiceSettings, answered: Callable[[int], None]) -> None:
        self._app, self._settings, self._answered = app, settings, answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._answered(message["status"])
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/v1"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refused = self._refusal(scope)
        await (self._app if refused is None else refused)(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers, settings = Headers(scope=scope), self._settings
        host = _name(headers.get("host", ""))
        if is_loopback(settings.host) and not (is_loopback(host) or host in settings.allow_hosts):
            # A name that an attacker's server has pointed here: the pages of that name are not this service's.
            return JSONResponse({"detail": f"{host or 'no host'}: this service is not called so"}, 421)
        origin = headers.get("origin")
        if origin is not None and scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            own = origin.split("://")[-1] == headers.get("host")
            if not (own or origin in settings.allow_origins):
                return JSONResponse({"detail": f"{origin}: pages of this origin may not use the service"}, 403)
        if settings.token is not None and not self._is_open(scope):
            scheme, _, given = headers.get("authorization", "").partition(" ")
            right = hmac.compare_digest(given.strip().encode(), settings.token.encode())
            if scheme.lower() != "bearer" or not right:
                told = {"WWW-Authenticate": "Bearer"}
                return JSONResponse({"detail": "a token is needed: send Authorization: Bearer TOKEN"}, 401, told)
        return None

    def _is_open(self, scope: Scope) -> bool:
        path, reads = scope["path"], scope["method"] in ("GET", "HEAD")
        if scope["method"] == "OPTIONS":  # a browser asks whether it may ask
            return True
        page = not path.startswith(("/v1", "/metrics", "/openapi.json"))
        return path in _OPEN or (reads and (page or path.startswith(_BY_ID)))


def _name(host: str) -> str:
    """A Host header without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def client_address(scope: Scope) -> str:
    """The address that jobs are counted by: of IPv6 the network, in which a client has all addresses."""
    host = (scope.get("client") or ("unknown", 0))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return host if address.version == 4 else str(ipaddress.ip_network(f"{host}/64", strict=False))
