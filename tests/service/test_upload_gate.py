"""Bodies that are too long, too slow, or not worth receiving."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from ttsr.service.settings import ServiceSettings
from ttsr.service.upload_gate import UploadGate

SETTINGS = ServiceSettings(request_bytes=100)


async def reads(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(f"{len(body)} bytes")(scope, receive, send)


def nothing(_: Any) -> None: ...


def gate(
    check: Callable[[Scope], None] = nothing,
    received: Callable[[int], None] = nothing,
    settings: ServiceSettings = SETTINGS,
) -> UploadGate:
    return UploadGate(reads, settings, check, received)


async def answer(gate: UploadGate, parts: list[bytes], *headers: tuple[bytes, bytes], wait: float = 0) -> str:
    """What is answered to a body in parts, of which the gate takes what it wants."""
    waiting, sent = list(parts), list[Message]()

    async def receive() -> Message:
        await asyncio.sleep(wait)
        part = waiting.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(waiting)}

    async def send(message: Message) -> None:
        sent.append(message)

    kind = (b"content-type", b"multipart/form-data; boundary=b")
    scope = {"type": "http", "method": "POST", "path": "/v1/jobs", "headers": [kind, *headers]}
    await gate(scope, receive, send)
    return f"{sent[0]['status']} {sent[1]['body'].decode()} {len(waiting)} parts left"


def test_a_body_passes_and_is_counted() -> None:
    counted: list[int] = []
    assert asyncio.run(answer(gate(received=counted.append), [b"x" * 60, b"x" * 40])) == "200 100 bytes 0 parts left"
    assert counted == [60, 40]


def test_a_body_is_stopped_at_the_part_that_is_too_much() -> None:
    with pytest.raises(HTTPException, match=r"413.*more than 0.0001 MB"):
        asyncio.run(answer(gate(), [b"x" * 60, b"x" * 41, b"x"]))


def test_a_body_that_says_that_it_is_too_long_is_not_read() -> None:
    told = asyncio.run(answer(gate(), [b"x"], (b"content-length", b"101")))
    assert told.startswith("413") and told.endswith("1 parts left")


def test_a_slow_body_is_given_up() -> None:
    with pytest.raises(HTTPException, match="408"):
        asyncio.run(answer(gate(settings=ServiceSettings(upload_seconds=0.05)), [b"x"], wait=600))


def test_a_body_is_not_read_where_there_is_no_room_for_its_job() -> None:
    def full(_: Scope) -> None:
        raise HTTPException(429, "full", {"Retry-After": "7"})

    assert asyncio.run(answer(gate(full), [b"x"])) == '429 {"detail":"full"} 1 parts left'


def test_a_body_whose_length_is_told_in_two_ways_is_not_read() -> None:
    told = asyncio.run(answer(gate(), [b"x"], (b"content-length", b"1"), (b"transfer-encoding", b"chunked")))
    assert told.startswith("400") and told.endswith("1 parts left")


def test_other_bodies_than_forms_are_not_read() -> None:
    async def json() -> int:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [(b"content-type", b"application/json")]
        await gate()({"type": "http", "method": "POST", "path": "/v1/plan", "headers": headers}, never, send)
        return sent[0]["status"]

    async def never() -> Message:
        raise AssertionError("the body is read")

    assert asyncio.run(json()) == 415


def test_bodies_at_once_have_a_limit_together() -> None:
    shared = gate()
    assert sorted(asyncio.run(together(shared, "size"))) == ["200", "200", "200", "200", "503"]
    assert asyncio.run(answer(shared, [b"x" * 100])) == "200 100 bytes 0 parts left"


def test_requests_of_an_address_have_a_limit_together() -> None:
    shared = gate(settings=ServiceSettings(requests_per_client=3))
    assert sorted(asyncio.run(together(shared, "address"))) == ["200", "200", "200", "429", "429"]
    assert asyncio.run(answer(shared, [b"x"])) == "200 1 bytes 0 parts left"


def test_requests_that_wait_to_be_looked_at_have_a_limit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ttsr.service.upload_gate._COMPLETE", 2)
    release = asyncio.Event()

    async def looks(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        await release.wait()
        await PlainTextResponse("seen")(scope, receive, send)

    shared = UploadGate(looks, SETTINGS, nothing, nothing)

    async def waiting() -> list[str]:
        asking = [asyncio.create_task(answer(shared, [b"x"])) for _ in range(3)]
        ended, _ = await asyncio.wait(asking, return_when=asyncio.FIRST_EXCEPTION)
        assert [str(one.exception())[:3] for one in ended] == ["503"]
        release.set()
        return [await one for one in asking if one not in ended]

    assert asyncio.run(waiting()) == ["200 seen 0 parts left"] * 2


async def together(shared: UploadGate, what: str) -> list[str]:
    """The statuses of five bodies at once, of as many bytes as one may have, or of one byte from one address."""
    part = b"x" * (100 if what == "size" else 1)

    async def hold(number: int) -> str:
        release = asyncio.Event()

        async def receive() -> Message:
            if release.is_set():
                await asyncio.sleep(0.02)
                return {"type": "http.request", "body": b"", "more_body": False}
            release.set()
            return {"type": "http.request", "body": part, "more_body": True}

        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        kind = (b"content-type", b"multipart/form-data; boundary=b")
        try:
            client = (f"10.0.0.{number}" if what == "size" else "10.0.0.1", 1)
            scope = {"type": "http", "method": "POST", "path": "/v1/plan", "headers": [kind], "client": client}
            await shared(scope, receive, send)
        except HTTPException as error:
            return str(error.status_code)
        return str(sent[0]["status"])

    return await asyncio.gather(*(hold(number) for number in range(5)))
