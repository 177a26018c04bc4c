"""Attacks of `service_attack.py` by clients that are slow: they send, or read, a byte a second, or nothing."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from attack_inputs import get, post
from attacks import PATIENCE_S, Target, status_of


async def _slow(target: Target, client: int, parts: Iterable[bytes], wait: float = 1.0) -> str:
    """Send a part each second until the service closes the connection."""
    end = time.monotonic() + PATIENCE_S
    try:
        reader, writer = await target.connect(client)
    except OSError:
        return "closed"
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            try:
                answer = await asyncio.wait_for(reader.read(2**16), wait)
                return status_of(answer)
            except TimeoutError:
                if time.monotonic() > end:
                    return "kept open"
    except OSError:
        return "closed"
    finally:
        writer.transport.abort()
    return "kept open"


def _dripping(start: bytes) -> Iterable[bytes]:
    yield start
    while True:
        yield b"x"


async def slow_heads(target: Target) -> Counter[str]:
    """Headers that never end, a byte a second."""
    start = b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "
    # 75 from each of 40 addresses.
    return Counter(await asyncio.gather(*(_slow(target, n % 40, _dripping(start)) for n in target.many(3000))))


async def slow_bodies(target: Target) -> Counter[str]:
    """Bodies that never end, a byte a second."""
    start = post("/v1/plan", b"").replace(b"Length: 0", b"Length: 100000") + b"--b\r\n"
    return Counter(await asyncio.gather(*(_slow(target, n % 40, _dripping(start)) for n in target.many(600))))


async def idle_connections(target: Target) -> Counter[str]:
    """Connections on which a request was answered, and none follows; of one address."""
    alive = get("/healthz").replace(b"Connection: close\r\n", b"")

    async def idle(client: int) -> str:
        try:
            reader, writer = await target.connect(client)
        except OSError:
            return "closed"
        try:
            writer.write(alive)
            first = status_of(await reader.read(2**16))
            return f"{first}, " + ("kept open" if await _is_kept(reader) else "closed")
        except OSError:
            return "closed"
        finally:
            writer.transport.abort()

    return Counter(await asyncio.gather(*(idle(0) for _ in target.many(3000))))


async def _is_kept(reader: asyncio.StreamReader) -> bool:
    try:
        await asyncio.wait_for(reader.read(), PATIENCE_S)
    except TimeoutError:
        return True
    return False


async def _unread(target: Target, client: int, path: str) -> str:
    """Ask, and read a byte each second."""
    try:
        reader, writer = await target.connect(client, 2**14)
    except OSError:
        return "closed"
    transport: Any = writer.transport
    try:
        writer.write(get(path))
        first = status_of(await reader.read(16))
        transport.pause_reading()
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            await asyncio.sleep(1)
            if target.process.is_running() and not _is_connected(target, transport.get_extra_info("sockname")):
                return f"{first}, then closed"
        return f"{first}, kept open"
    except OSError:
        return "closed"
    finally:
        transport.abort()


def _is_connected(target: Target, name: tuple[str, int]) -> bool:
    return name in target_connections(target)


_seen: tuple[float, set[Any]] = (0.0, set())


def target_connections(target: Target) -> set[Any]:
    """The other ends of the connections that the service holds; looked up once a second."""
    global _seen
    if time.monotonic() - _seen[0] > 1:
        held = target.process.net_connections("tcp")
        _seen = time.monotonic(), {tuple(one.raddr) for one in held if one.raddr}
    return _seen[1]


async def unread_results(target: Target) -> Counter[str]:
    """A result that nobody reads."""
    path = f"{target.job}/result"
    return Counter(await asyncio.gather(*(_unread(target, n % 40, path) for n in target.many(400))))
