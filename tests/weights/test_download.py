"""Fetching from a local HTTP server that can be told to misbehave."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from ttsr.errors import WeightsError
from ttsr.weights.cache import cache_path
from ttsr.weights.download import fetch

CONTENT = np.random.default_rng(0).bytes(700_000)
DIGITS = hashlib.sha256(CONTENT).hexdigest()[:8]


@dataclass
class Server:
    """What it serves, how it behaves, and what it was asked for.

    Attributes:
        breaks: for each coming answer, after how many bytes the connection breaks.
        ranges: whether it knows HTTP ranges.
        seen: the Range header of each request.
    """

    address: str
    content: bytes = CONTENT
    breaks: list[int] = field(default_factory=list)
    ranges: bool = True
    seen: list[str | None] = field(default_factory=list)

    def url(self, name: str) -> str:
        return f"{self.address}/{name}"

    @property
    def good(self) -> str:
        return self.url(f"ttsr_x4-{DIGITS}.pth")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.seen.append(wanted)
            if "missing" in self.path:
                return self.send_error(404)
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and state.ranges else 0
            size = len(state.content)
            if start >= size:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                return self.end_headers()
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            self.send_header("Content-Length", str(size - start))
            self.end_headers()
            end = start + state.breaks.pop(0) if state.breaks else size
            self.wfile.write(state.content[start:end])

        def log_message(self, format: str, *args: object) -> None:
            pass

    monkeypatch.setenv("TTSR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Server(f"http://127.0.0.1:{http.server_address[1]}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    http.shutdown()
    thread.join()
    http.server_close()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def part_of(url: str) -> Path:
    target = cache_path(url)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(target.name + ".part")


def test_whole_and_then_from_the_cache(server: Server, tmp_path: Path) -> None:
    path = fetch(server.good)
    assert path == tmp_path / "cache" / f"ttsr_x4-{DIGITS}.pth"
    assert path.read_bytes() == CONTENT
    assert fetch(server.good) == path
    assert server.seen == [None]
    assert files(tmp_path) == [path.name]


def test_broken_connection_is_resumed(server: Server) -> None:
    server.breaks = [300_000, 200_000]
    assert fetch(server.good).read_bytes() == CONTENT
    assert server.seen == [None, "bytes=300000-", "bytes=500000-"]


def test_what_came_before_giving_up_is_kept_for_the_next_call(server: Server, tmp_path: Path) -> None:
    server.breaks = [100_000] * 3
    with pytest.raises(WeightsError, match=r"the connection broke after 300000 of 700000 bytes"):
        fetch(server.good)
    assert files(tmp_path) == [f"ttsr_x4-{DIGITS}.pth.part"]
    assert fetch(server.good).read_bytes() == CONTENT
    assert server.seen[-1] == "bytes=300000-"
    assert files(tmp_path) == [f"ttsr_x4-{DIGITS}.pth"]


def test_without_ranges_it_starts_over(server: Server) -> None:
    server.ranges = False
    server.breaks = [300_000]
    assert fetch(server.good).read_bytes() == CONTENT
    assert server.seen == [None, "bytes=300000-"]


def test_wrong_hash_leaves_nothing(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[:-1] + b"?"
    with pytest.raises(WeightsError, match=f"sha256 begins with {DIGITS}"):
        fetch(server.good)
    assert files(tmp_path) == []


def test_remains_of_another_file_are_thrown_away(server: Server) -> None:
    part_of(server.good).write_bytes(b"x" * 1000)
    assert fetch(server.good).read_bytes() == CONTENT
    assert server.seen == ["bytes=1000-", None]


def test_remains_that_are_whole_need_nothing_more(server: Server) -> None:
    part_of(server.good).write_bytes(CONTENT)
    assert fetch(server.good).read_bytes() == CONTENT


def test_remains_that_are_too_long_are_thrown_away(server: Server) -> None:
    part_of(server.good).write_bytes(CONTENT + b"more")
    assert fetch(server.good).read_bytes() == CONTENT
    assert server.seen == [f"bytes={len(CONTENT) + 4}-", None]


def test_without_a_hash_in_the_name_nothing_is_resumed(server: Server) -> None:
    url = server.url("TTSR.pt")
    part_of(url).write_bytes(CONTENT[:1000])
    server.breaks = [300_000]
    assert fetch(url).read_bytes() == CONTENT
    assert server.seen == [None, None]


def test_nothing_useless_is_kept(server: Server, tmp_path: Path) -> None:
    server.breaks = [300_000] * 3
    with pytest.raises(WeightsError, match=r"broke after 300000 of 700000 bytes; run it again$"):
        fetch(server.url("TTSR.pt"))
    assert files(tmp_path) == []


def test_not_found(server: Server, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="the server answers 404"):
        fetch(server.url("missing.pth"))
    assert files(tmp_path) == []


def test_damaged_file_in_the_cache(server: Server) -> None:
    path = fetch(server.good)
    path.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="remove the file"):
        fetch(server.good)


def test_offline_says_what_to_put_where(server: Server, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:1/ttsr_x4-{DIGITS}.pth"
    target = tmp_path / "cache" / f"ttsr_x4-{DIGITS}.pth"
    with pytest.raises(WeightsError, match=f"cannot reach {url} .* save it as {target}"):
        fetch(url)
    target.write_bytes(CONTENT)
    assert fetch(url) == target


def test_cache_that_cannot_be_made(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TTSR_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(WeightsError, match="cannot be written"):
        fetch(server.good)
