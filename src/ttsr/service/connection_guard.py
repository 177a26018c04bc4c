"""Connections of clients: how many there may be, and how long each may keep the service waiting."""

import asyncio
import ipaddress
import socket
import struct
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from ttsr.errors import UserError
from ttsr.service.access import client_address
from ttsr.service.settings import ServiceSettings

_TICK_S = 0.5
_SOME = 2**16  # bytes, about as many as uvicorn lets wait to be read
_DROP = struct.pack("ii", 1, 0)  # do linger, for no second
_DETAIL = b'{"detail":"too many connections: try again later"}'
_REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 5\r\n"
_REFUSAL += b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(_DETAIL), _DETAIL)


class ConnectionGuard:
    """Refuses connections that are too many, and cuts those whose clients are too slow.

    Args:
        settings: the limits.
        proxies: addresses and networks that may have any number of connections.

    Raises:
        UserError: one of them is none.
    """

    def __init__(self, settings: ServiceSettings, proxies: Sequence[str] = ()) -> None:
        self.settings = settings
        self._proxies = [_network(proxy) for proxy in proxies]
        self._open: dict[GuardedConnection, None] = {}  # the oldest first
        self._of_client: Counter[str] = Counter()

    def admit(self, connection: "GuardedConnection") -> bool:
        """Whether a new connection may stay; where there is no room, the oldest one goes that waits for a request."""
        if len(self._open) >= self.settings.connections:
            idle = next((other for other in self._open if other.is_idle), None)
            if idle is not None:
                self.forget(idle)
                idle.cut()
        most = self.settings.connections_per_client
        full = self._of_client[connection.address] >= most and not self._is_proxy(connection)
        if full or len(self._open) >= self.settings.connections:
            return False
        self._open[connection] = None
        self._of_client[connection.address] += 1
        return True

    def forget(self, connection: "GuardedConnection") -> None:
        """The connection is closed."""
        if connection in self._open:
            del self._open[connection]
            self._of_client -= Counter([connection.address])

    async def watch(self) -> None:
        """Cut connections whose time is over, until it is cancelled."""
        while True:
            await asyncio.sleep(_TICK_S)
            now = time.monotonic()
            for connection in list(self._open):
                if connection.is_overdue(now):
                    connection.cut()

    def _is_proxy(self, connection: "GuardedConnection") -> bool:
        try:
            address = ipaddress.ip_address((connection.client or ("",))[0])
        except ValueError:
            return False
        return any(address in network for network in self._proxies)


class GuardedConnection(H11Protocol):
    """A connection of uvicorn's, whose client has a time for each thing that the service waits for."""

    def __init__(self, guard: ConnectionGuard, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._guard, self.address = guard, ""
        self._answered = self._drained = self._received = 0
        self._waits_for: tuple[Any, ...] = ()
        self._since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Take the connection, or refuse it."""
        super().connection_made(transport)
        self.address = client_address({"client": self.client})
        if not self._guard.admit(self):
            transport.write(_REFUSAL)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed."""
        super().connection_lost(exc)
        self._guard.forget(self)

    def data_received(self, data: bytes) -> None:
        """Some of a request has come."""
        self._received += len(data)
        super().data_received(data)

    def resume_writing(self) -> None:
        """The client has read what waited."""
        super().resume_writing()
        self._drained += 1

    def on_response_complete(self) -> None:
        """An answer is written, though perhaps not read."""
        self._answered += 1
        super().on_response_complete()

    @property
    def is_idle(self) -> bool:
        """Whether no request has come that is not answered."""
        return self.conn.their_state is h11.IDLE

    def cut(self) -> None:
        """Close it at once, and drop what the client has not read, also where the system keeps it."""
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DROP)
        self.transport.abort()

    def is_overdue(self, now: float) -> bool:
        """Whether its client has kept it waiting for the same thing for too long."""
        waits_for, limit = self._wait()
        if waits_for != self._waits_for:
            self._waits_for, self._since = waits_for, now
        return now - self._since > limit

    def _wait(self) -> tuple[tuple[Any, ...], float]:
        """What the client is to do next, and how many seconds it may take."""
        settings = self._guard.settings
        if self.transport.get_write_buffer_size():  # some tens of kilobytes wait to be read
            return ("answer", self._answered, self._drained), settings.stall_seconds
        if self.is_idle:
            return ("head", self._answered), settings.head_seconds
        if self.conn.their_state is h11.SEND_BODY:
            if self.conn.our_state is h11.DONE:  # it is refused, and what still comes is thrown away
                return ("rest", self._answered), settings.head_seconds
            return ("body", self._answered, self._received // _SOME), settings.stall_seconds
        return (), float("inf")


def _network(proxy: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(proxy)
    except ValueError:
        raise UserError(
            f"proxy {proxy!r}: is no address or network", "give one such as 10.0.0.1 or 10.0.0.0/8"
        ) from None
