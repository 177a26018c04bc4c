"""Requests, forms and names that are malformed or too much: refused in short, and the next client is served."""

import json
import re
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from attack_inputs import FORMS, MALFORMED, NAMES, form, picture_bombs, png, post

Form = list[tuple[str, Any]]


class Server(Protocol):
    address: str
    folder: Path
    texts: list[str]

    def client(self, address: str = ..., **headers: str) -> AbstractContextManager[httpx.Client]: ...


@pytest.fixture
def send(server: Server) -> Callable[[bytes], tuple[int, bytes]]:
    """Sends bytes, and gives the status of the answer and all of it."""

    def exchange(request: bytes) -> tuple[int, bytes]:
        host, _, port = server.address.rpartition("/")[2].partition(":")
        answer = b""
        with socket.create_connection((host, int(port)), 60) as connection:
            with suppress(OSError):  # refused before all was sent
                connection.sendall(request)
            with suppress(ConnectionResetError):
                while part := connection.recv(2**16):
                    answer += part
        server.texts.append(answer.decode("latin-1"))
        found = re.match(rb"HTTP/1\.1 (\d{3})", answer)
        return int(found[1]) if found else 0, answer

    return exchange


_EXPECTED = {
    "a folded header": 200,
    "HTTP/9.9": 200,
    "HTTP/2": 421,
    "lines without CR": 200,
    "a chunk of 2**70": 400,
    "a host elsewhere": 421,
    "an address as target": 404,
    "a path with NUL": 404,
    "a path upwards": 404,
    "a line break in a path": 404,
    "no UTF-8 in a path": 404,
    "a WebSocket": 404,
    "CONNECT": 404,
    "TRACE": 405,
    "an unknown method": 405,
    "1000 ranges": 200,
    "100 pipelined": 200,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_requests_are_refused(name: str, send: Callable[[bytes], tuple[int, bytes]]) -> None:
    status, answer = send(MALFORMED[name])
    assert status == _EXPECTED.get(name, 400)
    # Of what is behind the end of a request, as one reads it or the other, nothing is taken for a request.
    assert answer.count(b"HTTP/1.1 ") == {"100 pipelined": 100, "HTTP/2": 2}.get(name, 1)
    assert send(b"GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")[0] == 200


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_too_much_are_refused(name: str, send: Callable[[bytes], tuple[int, bytes]]) -> None:
    body = FORMS[name] if len(FORMS[name]) < 9_000_000 else FORMS[name][:8_999_999]
    status, answer = send(post("/v1/plan", body))
    assert status in (0, 400, 422)  # 0: what still came when it was refused has reset the connection
    if status:
        assert "\n" not in json.loads(answer.partition(b"\r\n\r\n")[2])["detail"]


def test_names_of_files_stay_names(server: Server, send: Callable[[bytes], tuple[int, bytes]]) -> None:
    small = png(12, 12)
    for name in NAMES:
        status, answer = send(post("/v1/images", form([("file", name, small)])))
        if status == 200:
            shown = json.loads(answer.partition(b"\r\n\r\n")[2])["name"]
            assert shown.isprintable() and 0 < len(shown) <= 100 and not {"/", "\\"} & {*shown}
        else:
            assert (name[:5], status) in {("", 422), ("a\r\nSe", 400), ("üüüüü", 400)}


def test_names_of_files_add_no_headers(server: Server, until: Callable[..., dict[str, Any]]) -> None:
    with server.client("10.5.0.1") as client:
        for name in ('a"; filename="b.png', "a%0d%0aX: y.png", "<img src=x>.png"):
            job = client.post("/v1/jobs", files={"lr": (name, png(12, 12))}).json()["id"]
            assert until(client, job)["state"] == "done"
            told = client.get(f"/v1/jobs/{job}/result").headers
            assert "x" not in told and re.fullmatch(r"inline; filename\*=utf-8''[\w%.-]+", told["content-disposition"])
            client.delete(f"/v1/jobs/{job}")


def test_bombs_are_refused_unpacked_no_further_than_they_may_be(server: Server) -> None:
    told = {}
    with server.client("10.5.0.2") as client:
        for name, data in picture_bombs(1500, 2**26 + 1).items():
            answer = client.post("/v1/images", files={"file": ("bomb.png", data)})
            told[name] = answer.status_code
            assert answer.status_code == 200 or answer.json()["detail"].startswith("bomb.png: ")
    assert {name for name, status in told.items() if status == 200} == {"too much data"}
    large = {name for name in told if "many" in name or name == "too little data"}
    assert {name for name, status in told.items() if status == 413} == large
