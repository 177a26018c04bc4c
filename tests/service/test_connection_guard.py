"""Clients that are slow, or have many connections, at a server of uvicorn's in a thread."""

import asyncio
import errno
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from ttsr.errors import UserError
from ttsr.service.connection_guard import ConnectionGuard, GuardedConnection
from ttsr.service.settings import ServiceSettings

Connect = Callable[..., socket.socket]
PROXY = "127.0.0.9"
CHUNKED = b"Host: x\r\nTransfer-Encoding: chunked\r\n\r\n"


async def short(request: Request) -> Response:
    return PlainTextResponse("short")


async def read(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def long(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 2**20
            await asyncio.sleep(0)

    return StreamingResponse(parts())


async def quiet(request: Request) -> Response:
    """Events, of which there are few."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            await asyncio.sleep(0.4)
            yield b"event\n"

    return StreamingResponse(parts())


@contextmanager
def serving(**settings: Any) -> Iterator[Connect]:
    """Connects to a server with these settings, from an address."""
    given = {"head_seconds": 0.3, "stall_seconds": 0.3, "connections": 6, "connections_per_client": 4, **settings}
    guard = ConnectionGuard(ServiceSettings(**given), [PROXY])
    routes = [
        Route("/short", short),
        Route("/read", read, methods=["POST"]),
        Route("/long", long),
        Route("/quiet", quiet),
    ]
    protocol: Any = partial(GuardedConnection, guard)
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), http=protocol, lifespan="off", log_level="error"))
    listening, opened = socket.create_server(("127.0.0.1", 0)), list[socket.socket]()

    async def run() -> None:
        watching = asyncio.create_task(guard.watch())
        await server.serve([listening])
        watching.cancel()

    def connect(source: str = "127.0.0.1", sent: bytes = b"", room: int | None = None) -> socket.socket:
        connection = socket.socket()
        if room is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        connection.settimeout(60)
        connection.bind((source, 0))
        connection.connect(listening.getsockname())
        connection.sendall(sent)
        opened.append(connection)
        return connection

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        yield connect
    finally:
        for connection in opened:
            connection.close()
        server.should_exit = server.force_exit = True
        thread.join(60)


@pytest.fixture(scope="module")
def connect() -> Iterator[Connect]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ttsr.service.connection_guard._TICK_S", 0.05)
        with serving() as connect:
            yield connect


def rest(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    received = b""
    try:
        while part := connection.recv(2**20):
            received += part
    except ConnectionResetError:
        pass
    connection.close()
    return received


def status(answer: bytes) -> bytes:
    return answer[9:12]


@pytest.mark.parametrize(
    ("sent", "drip", "answered"),
    [
        (b"", b"", b""),
        (b"GET /short HTTP/1.1\r\nHost: x\r\nX: ", b"x", b""),
        (b"POST /read HTTP/1.1\r\n" + CHUNKED, b"1\r\nx\r\n", b""),
        # Refused, so that nobody reads the body, which never ends.
        (b"POST /nothing HTTP/1.1\r\n" + CHUNKED, b"1\r\nx\r\n", b"404"),
        (b"GET /short HTTP/1.1\r\nHost: x\r\n\r\n", b"G", b"200"),
    ],
    ids=["no request", "half a head", "a body", "the body of a request that is refused", "half of a second request"],
)
def test_a_client_that_sends_too_slowly_is_cut(connect: Connect, sent: bytes, drip: bytes, answered: bytes) -> None:
    connection, received = connect(sent=sent), b""
    connection.settimeout(0.1)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            part = connection.recv(2**16)
            if not part:
                break
            received += part
        except TimeoutError:
            try:
                connection.sendall(drip)
            except OSError:
                break
        except ConnectionResetError:
            break
    else:
        raise AssertionError("it is still open")
    connection.close()
    assert status(received) == answered


def test_a_client_that_does_not_read_its_answer_is_cut(connect: Connect) -> None:
    connection = connect(sent=b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n", room=2**12)
    assert connection.recv(12).endswith(b"200")
    while connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != errno.ECONNRESET:
        time.sleep(0.02)


def test_a_client_that_is_kept_waiting_is_not_cut(connect: Connect) -> None:
    answer = rest(connect(sent=b"GET /quiet HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    assert status(answer) == b"200" and answer.count(b"event") == 3


def test_an_address_has_so_many_connections_and_others_theirs() -> None:
    request = b"GET /short HTTP/1.1\r\nHost: x\r\n\r\n"
    with serving(head_seconds=60, connections=10) as connect:
        held = [connect() for _ in range(4)]
        refused = rest(connect())
        assert status(refused) == b"503" and b"Retry-After: 5" in refused and b"too many connections" in refused
        other = connect("127.0.0.2", request)
        assert status(other.recv(100)) == b"200"
        proxied = [connect(PROXY, request) for _ in range(5)]
        assert [status(connection.recv(100)) for connection in proxied] == [b"200"] * 5
        # All ten places are taken: the oldest that waits for a request makes room.
        assert status(connect("127.0.0.3", request).recv(100)) == b"200"
        assert rest(held[0]) == b""
        held[1].sendall(request)
        assert status(held[1].recv(100)) == b"200"
        # Where it leaves, the address has room again.
        held[2].close()
        while status(answer := connect(sent=request).recv(100)) == b"503":
            time.sleep(0.01)
        assert status(answer) == b"200"


def test_no_room_while_all_are_answered() -> None:
    with serving(stall_seconds=60, connections=2) as connect:
        busy = [connect(sent=b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n", room=2**12) for _ in range(2)]
        assert [status(connection.recv(12)) for connection in busy] == [b"200"] * 2
        assert status(rest(connect("127.0.0.2"))) == b"503"


@pytest.mark.parametrize("proxy", ["*", "proxy.example", "10.0.0.1/8"])
def test_a_proxy_is_an_address(proxy: str) -> None:
    with pytest.raises(UserError, match="is no address or network"):
        ConnectionGuard(ServiceSettings(), [proxy])
