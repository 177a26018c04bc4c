"""A service on a port, until the command is stopped."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING

from ttsr.cli.printing import say, tell
from ttsr.errors import UserError
from ttsr.service.settings import ServiceSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

_GRACE_S = 5
_TELLING_S = 0.2
_CONNECTIONS, _FEW = 1000, 8
_BACKLOG = 128
_FILES = 4096  # that the process asks to be allowed to have open
_OWN_FILES, _FILES_EACH = 96, 2  # of the service itself, and of a connection, which sends or gets one


def serve_until_stopped(
    settings: ServiceSettings,
    port: int,
    *,
    proxies: Sequence[str] = (),
    extend: "Callable[[FastAPI], None] | None" = None,
    started: Callable[[str], None] | None = None,
) -> None:
    """Run the service until Ctrl-C or SIGTERM; its address is printed.

    Args:
        settings: the service's.
        port: to listen at; 0 for any that is free.
        proxies: addresses that are trusted to tell the clients' ones.
        extend: adds to the application, such as a page.
        started: called with the address when the service is ready.

    Raises:
        UserError: the extra is not installed, the port is taken, or a model or the device is not there.
    """
    try:
        import uvicorn

        from ttsr.service.application import create_application
        from ttsr.service.connection_guard import ConnectionGuard, GuardedConnection
    except ImportError as error:
        what = f"the service needs {error.name}, which is not installed"
        raise UserError(what, "pip install 'ttsr[web]'") from None

    # Its warnings are of clients' mistakes, any number of them.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    settings = replace(settings, connections=min(settings.connections, connections_that_fit()))
    guard = ConnectionGuard(settings, proxies)
    application = create_application(settings)
    if extend is not None:
        extend(application)
    config = uvicorn.Config(
        application,
        lifespan="off",  # it runs here, so that its errors are ours to print
        log_level="error",
        access_log=False,  # the ids of jobs are secrets
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=10,
        http=partial(GuardedConnection, guard),  # pyright: ignore[reportArgumentType]  (it is called only)
        ws="none",
        backlog=min(_BACKLOG, settings.connections),  # so many are accepted at once, before any can be refused
    )

    class Server(uvicorn.Server):
        """Ends jobs before connections, so that streams of events tell it; at once when it is asked again."""

        stopping = asked_by = None

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if self.stopping is None:
                self.asked_by = sig
                self.stopping = asyncio.run_coroutine_threadsafe(self._end_jobs(sig), asyncio.get_running_loop())
            else:
                super().handle_exit(sig, frame)

        async def _end_jobs(self, sig: int) -> None:
            await application.state.service.queue.stop()
            await asyncio.sleep(_TELLING_S)
            super().handle_exit(sig, None)

    async def run(listening: socket.socket) -> None:
        async with application.router.lifespan_context(application):
            name = f"[{settings.host}]" if ":" in settings.host else settings.host
            address = f"http://{name}:{listening.getsockname()[1]}"
            tell(f"ttsr listens at {address}")
            if started is not None:
                started(address)
            watching = asyncio.create_task(guard.watch())
            try:
                server = Server(config)
                await server.serve([listening])
            finally:
                watching.cancel()
            if server.asked_by == signal.SIGINT:  # which may have been ignored where the command was started
                raise KeyboardInterrupt

    if settings.token is None:
        say("no token is set: every user and program of this machine has access")
    with _listening(settings.host, port) as listening:
        asyncio.run(run(listening))


def connections_that_fit() -> int:
    """How many connections suit the number of files that this process may have open, which is raised if need be."""
    try:
        import resource  # not on Windows
    except ImportError:
        return _CONNECTIONS
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, hard = (sys.maxsize if limit == resource.RLIM_INFINITY else limit for limit in limits)
    files = max(soft, min(hard, _FILES))
    if files > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, limits[1]))
    return max(_FEW, (files - _OWN_FILES) // _FILES_EACH)


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        UserError: the address is not this machine's, or the port is taken.
    """
    try:
        kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(kind, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            return listening
        except BaseException:
            listening.close()
            raise
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{host}:{port}: cannot be listened at ({reason})", "take another address or port") from None
