"""Downloads from a local HTTP server with faults."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from ttsr.errors import WeightsError
from ttsr.progress import Cancelled, Progress
from ttsr.weights.cache import cache_path
from ttsr.weights.download import fetch

CONTENT = np.random.default_rng(0).bytes(700_000)
DIGITS = hashlib.sha256(CONTENT).hexdigest()[:8]


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts in seconds, recorded instead of slept."""
    recorded: list[float] = []
    monkeypatch.setattr("ttsr.weights.download.time.sleep", recorded.append)
    return recorded


@dataclass
class Server:
    """What it serves, how it behaves, and what it was asked for.

    Attributes:
        breaks: for each coming answer, after how many bytes the connection breaks.
        ranges: whether it knows HTTP ranges.
        seen: the Range header of each request.
        midway: called when half of an answer has been sent.
    """

    address: str
    content: bytes = CONTENT
    breaks: list[int] = field(default_factory=list)
    ranges: bool = True
    seen: list[str | None] = field(default_factory=list)
    midway: Callable[[], None] = lambda: None

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
            half = (start + min(end, size)) // 2
            self.wfile.write(state.content[start:half])
            state.midway()
            self.wfile.write(state.content[half:end])

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


def test_complete_file_and_then_from_the_cache(server: Server, tmp_path: Path) -> None:
    path = fetch(server.good)
    assert path == tmp_path / "cache" / f"ttsr_x4-{DIGITS}.pth"
    assert path.read_bytes() == CONTENT
    assert fetch(server.good) == path
    assert server.seen == [None]
    assert files(tmp_path) == [path.name]


def test_broken_connection_is_resumed_after_longer_and_longer_pauses(server: Server, pauses: list[float]) -> None:
    server.breaks = [300_000, 200_000]
    assert fetch(server.good).read_bytes() == CONTENT
    assert server.seen == [None, "bytes=300000-", "bytes=500000-"]
    assert pauses == [1, 2]


def test_progress_and_cancel(server: Server, tmp_path: Path) -> None:
    fractions: list[float] = []

    def show(fraction: float, stage: str) -> None:
        assert stage == f"ttsr_x4-{DIGITS}.pth"
        fractions.append(fraction)
        if len(fractions) == 1:
            progress.cancel()

    progress = Progress(show)
    with pytest.raises(Cancelled):
        fetch(server.good, progress)
    assert files(tmp_path) == [f"ttsr_x4-{DIGITS}.pth.part"]
    assert fetch(server.good, Progress(show)).read_bytes() == CONTENT
    assert fractions == sorted(fractions) and 0 < fractions[0] < fractions[-1] == 1


def test_two_transfers_of_one_file_do_not_mix(server: Server, tmp_path: Path) -> None:
    """The second begins while the first is half through, and both append what they get."""
    begun, second_done = threading.Event(), threading.Event()

    def wait() -> None:
        if not begun.is_set():
            begun.set()
            assert second_done.wait(20)

    server.midway = wait
    with ThreadPoolExecutor() as pool:
        first = pool.submit(fetch, server.good)
        assert begun.wait(20)
        assert fetch(server.good).read_bytes() == CONTENT
        second_done.set()
        assert first.result().read_bytes() == CONTENT
    assert server.seen == [None, None]
    assert files(tmp_path) == [f"ttsr_x4-{DIGITS}.pth"]


@pytest.mark.parametrize(("age_s", "asked_for"), [(3600, "bytes=1000-"), (0, None)])
def test_partial_file_of_a_killed_process_is_resumed_once_it_is_old(
    age_s: float, asked_for: str | None, server: Server
) -> None:
    part = part_of(server.good).with_name(f"ttsr_x4-{DIGITS}.pth.0123abcd.part")
    part.write_bytes(CONTENT[:1000])
    then = time.time() - age_s
    os.utime(part, (then, then))
    assert fetch(server.good).read_bytes() == CONTENT
    assert server.seen == [asked_for]
    assert part.exists() == (asked_for is None)


def test_partial_file_is_kept_for_the_next_call(server: Server, tmp_path: Path) -> None:
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


def test_partial_file_of_another_content_is_discarded(server: Server) -> None:
    part_of(server.good).write_bytes(b"x" * 1000)
    assert fetch(server.good).read_bytes() == CONTENT
    assert server.seen == ["bytes=1000-", None]


def test_complete_partial_file_needs_no_transfer(server: Server) -> None:
    part_of(server.good).write_bytes(CONTENT)
    assert fetch(server.good).read_bytes() == CONTENT


def test_partial_file_that_is_too_long_is_discarded(server: Server) -> None:
    part_of(server.good).write_bytes(CONTENT + b"more")
    assert fetch(server.good).read_bytes() == CONTENT
    assert server.seen == [f"bytes={len(CONTENT) + 4}-", None]


def test_without_a_hash_in_the_name_nothing_is_resumed(server: Server) -> None:
    url = server.url("TTSR.pt")
    part_of(url).write_bytes(CONTENT[:1000])
    server.breaks = [300_000]
    assert fetch(url).read_bytes() == CONTENT
    assert server.seen == [None, None]


def test_partial_file_without_hash_is_not_kept(server: Server, tmp_path: Path) -> None:
    server.breaks = [300_000] * 3
    with pytest.raises(WeightsError, match=r"broke after 300000 of 700000 bytes: run it again$"):
        fetch(server.url("TTSR.pt"))
    assert files(tmp_path) == []


def test_not_found(server: Server, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="the server answers 404"):
        fetch(server.url("missing.pth"))
    assert list(tmp_path.iterdir()) == []


def test_existing_folder_stays(server: Server, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    with pytest.raises(WeightsError, match="the server answers 404"):
        fetch(server.url("missing.pth"))
    assert list(tmp_path.rglob("*")) == [tmp_path / "cache"]


def test_damaged_file_in_the_cache(server: Server) -> None:
    path = fetch(server.good)
    path.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="remove the file"):
        fetch(server.good)


def test_offline_error_says_where_to_save_the_file(server: Server, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:1/ttsr_x4-{DIGITS}.pth"
    target = tmp_path / "cache" / f"ttsr_x4-{DIGITS}.pth"
    with pytest.raises(WeightsError, match=f"cannot reach {url} .* save it as {target}"):
        fetch(url)
    target.parent.mkdir()
    target.write_bytes(CONTENT)
    assert fetch(url) == target


def test_cache_that_cannot_be_created(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TTSR_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(WeightsError, match="cannot be written"):
        fetch(server.good)
