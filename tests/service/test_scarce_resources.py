"""A server that may write small files only, and have few files open."""

import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from attack_inputs import png

Form = list[tuple[str, Any]]
LONGEST, FILES = 300_000, 140


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (LONGEST, LONGEST))
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.fixture(scope="module")
def narrow(
    serving: Callable[..., AbstractContextManager[Any]], tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("narrow")
    with serving(folder, "--model", str(tiny_weights), prepare=limited) as server:
        yield server
        # Where it was started with Ctrl-C ignored, it heeds it all the same, and says so.
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(60) == 130
    assert "Traceback" not in (folder / "log").read_text() and [file.name for file in folder.iterdir()] == ["log"]
    assert not any(str(folder) in text for text in server.texts)


@pytest.mark.parametrize("num_bytes", [LONGEST + 1, 1_500_000], ids=["in its folder", "on the way"])
def test_an_upload_that_finds_no_room(narrow: Any, num_bytes: int) -> None:
    with narrow.client() as client:
        answer = client.post("/v1/images", files={"file": ("x.png", b"\0" * num_bytes)})
    assert answer.status_code == 503 and answer.json()["detail"].startswith("the service has no room for ")


def test_a_result_that_finds_no_room(narrow: Any, until: Callable[..., dict[str, Any]]) -> None:
    with narrow.client() as client:
        job = until(client, client.post("/v1/jobs", files={"lr": ("x.png", png(160, 160))}).json()["id"])
        assert job["state"] == "failed" and "File too large" in job["error"] and "\n" not in job["error"]


def test_connections_that_take_all_files_make_room(
    narrow: Any, until: Callable[..., dict[str, Any]], small_form: Callable[..., Form]
) -> None:
    host, _, port = narrow.address.rpartition("/")[2].partition(":")
    idle = [socket.create_connection((host, int(port)), 60) for _ in range(2 * FILES)]
    with narrow.client() as client:
        assert client.get("/healthz").status_code == 200
        job = client.post("/v1/jobs", files=small_form()).json()["id"]
        assert until(client, job)["state"] == "done" and client.get(f"/v1/jobs/{job}/result").status_code == 200
    for connection in idle:
        connection.close()
