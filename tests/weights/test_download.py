"""Downloads from a local HTTP server with faults."""

import hashlib
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
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
    folder = target.with_name(target.name + ".download")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "part"


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
    assert files(tmp_path) == ["part"]
    assert fetch(server.good, Progress(show)).read_bytes() == CONTENT
    assert fractions == sorted(fractions) and 0 < fractions[0] < fractions[-1] == 1


def test_what_two_threads_want_is_downloaded_once(server: Server, tmp_path: Path) -> None:
    """The second begins while the first is half through, and waits."""
    begun, waits = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        assert waits.wait(60)

    def show(fraction: float, stage: str) -> None:
        if stage.endswith("by another process"):
            waits.set()

    server.midway = wait
    with ThreadPoolExecutor() as pool:
        first = pool.submit(fetch, server.good)
        assert begun.wait(60)
        assert fetch(server.good, Progress(show)).read_bytes() == CONTENT
        assert first.result().read_bytes() == CONTENT
    assert server.seen == [None]
    assert files(tmp_path) == [f"ttsr_x4-{DIGITS}.pth"]


FETCH = """
import sys
from ttsr.errors import WeightsError
from ttsr.progress import Progress
from ttsr.weights.download import fetch
try:
    print(fetch(sys.argv[1], Progress(lambda fraction, stage: print(stage, flush=True))))
except WeightsError as error:
    print(error)
"""


def fetching(url: str, before: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", before + FETCH, url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def lines(process: subprocess.Popen[str]) -> list[str]:
    return process.communicate(timeout=120)[0].splitlines()


def test_what_four_processes_want_is_downloaded_once(server: Server, tmp_path: Path) -> None:
    """The server holds its only answer back until three of them say that they wait."""
    three_wait = threading.Event()

    def wait() -> None:
        three_wait.wait(120)

    server.midway = wait
    processes = [fetching(server.good) for _ in range(4)]
    waiting = threading.Semaphore(0)
    last: dict[int, str] = {}

    def follow(number: int) -> None:
        output = processes[number].stdout
        assert output is not None
        for line in output:
            if line.endswith("by another process\n") and not last.get(number, "").endswith("by another process\n"):
                waiting.release()
            last[number] = line
        processes[number].wait()

    with ThreadPoolExecutor(4) as pool:
        followed = [pool.submit(follow, number) for number in range(4)]
        assert all(waiting.acquire(timeout=120) for _ in range(3))
        three_wait.set()
        for each in followed:
            each.result()
    target = tmp_path / "cache" / f"ttsr_x4-{DIGITS}.pth"
    assert set(last.values()) == {f"{target}\n"} and len(last) == 4
    assert server.seen == [None]
    assert files(tmp_path) == [target.name] and target.read_bytes() == CONTENT


def test_what_a_killed_process_has_received_is_resumed(server: Server, tmp_path: Path) -> None:
    begun, killed = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        killed.wait(120)

    server.midway = wait
    process = fetching(server.good)
    assert begun.wait(120)
    assert process.stdout is not None
    process.stdout.readline()  # of the progress: something has arrived
    process.kill()
    process.communicate()
    killed.set()
    assert files(tmp_path) == [".lock", "part"]
    assert fetch(server.good).read_bytes() == CONTENT
    assert len(server.seen) == 2 and str(server.seen[1]).startswith("bytes=")
    assert files(tmp_path) == [f"ttsr_x4-{DIGITS}.pth"]


def test_a_full_disk_leaves_nothing(server: Server, tmp_path: Path) -> None:
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    target = tmp_path / "cache" / f"ttsr_x4-{DIGITS}.pth"
    assert lines(fetching(server.good, limit))[-1] == f"{target}: cannot be written (File too large)"
    assert list(tmp_path.iterdir()) == []


def test_partial_file_is_kept_for_the_next_call(server: Server, tmp_path: Path) -> None:
    server.breaks = [100_000] * 3
    with pytest.raises(WeightsError, match=r"the connection broke after 300000 of 700000 bytes"):
        fetch(server.good)
    assert files(tmp_path) == ["part"]
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


Answering = Callable[[socket.socket], object]


def answer(*head: str, body: bytes = CONTENT) -> Answering:
    """Sends this head and body."""
    return lambda connection: connection.sendall("\r\n".join((*head, "", "")).encode("latin-1") + body)


def redirect(place: str) -> Answering:
    return answer("HTTP/1.1 302 Found", f"Location: {place}", "Content-Length: 0", body=b"")


def slowly(start: bytes, piece: bytes) -> Answering:
    """Goes on and on, until the other side has had enough."""

    def send(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(piece)
            threading.Event().wait(0.01)

    return send


def nothing(connection: socket.socket) -> None:
    """Until the other side gives up."""
    connection.recv(1)


OK, LENGTH = "HTTP/1.1 200 OK", f"Content-Length: {len(CONTENT)}"
CHUNKED = f"{OK}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
START = f"{OK}\r\n{LENGTH}\r\n\r\n".encode()

_TIMED_OUT = "sent nothing for|timed out"

SLOW_SERVERS: dict[str, tuple[Answering, str]] = {
    "no answer": (nothing, f"cannot reach .*({_TIMED_OUT})"),
    "head without end": (slowly(f"{OK}\r\n".encode(), b"x"), f"cannot reach .*({_TIMED_OUT})"),
    "a byte now and then": (slowly(START, b"x"), rf"the server sent \d+ bytes in \d+ s, .* given up|{_TIMED_OUT}"),
    "chunk size without end": (slowly(CHUNKED, b"0"), f"{_TIMED_OUT}|connection broke"),
    "silence in the body": (lambda it: (it.sendall(START + b"xyz"), nothing(it)), _TIMED_OUT),
}
BAD_SERVERS: dict[str, tuple[Answering, str]] = {
    "cut off": (answer(OK, LENGTH, body=CONTENT[:1000]), "after 1000 of 700000 bytes: run it again, the download"),
    "body without end": (slowly(f"{OK}\r\n\r\n".encode(), bytes(100_000)), "does not end after"),
    "length of a petabyte": (answer(OK, f"Content-Length: {10**15}"), "would be 931323 GiB; weights are not that"),
    "length of 5000 digits": (answer(OK, f"Content-Length: {'9' * 5000}", body=b"x"), "the content is not the file"),
    "length too short": (answer(OK, "Content-Length: 10"), "the content is not the file"),
    "negative length": (answer(OK, "Content-Length: -5", body=b"x"), "the content is not the file"),
    "compressed": (answer(OK, LENGTH, "Content-Encoding: gzip"), "the server sends it compressed"),
    "another part": (answer("HTTP/1.1 206 OK", f"Content-Range: bytes {'9' * 5000}-1/2"), "sent another part than"),
    "damaged chunks": (lambda it: it.sendall(CHUNKED + b"zzz\r\n"), "the connection broke after 0"),
    "no HTTP": (lambda it: it.sendall(b"SSH-2.0-OpenSSH_9.6\r\n"), "cannot reach .*SSH-2.0-OpenSSH_9.6"),
    "hangs up": (lambda it: None, "cannot reach"),
    "escape sequences": (answer("HTTP/1.1 404 \x1b[2J\x07gone", body=b""), r"answers 404 \\x1b\[2J\\x07gone"),
    "redirect to http": (redirect("http://weights.example/x"), "redirects to http://weights.example/x, which is not"),
    "redirect to a file": (redirect("file:///etc/passwd"), "the server answers 302"),
    "redirect to ftp": (redirect("ftp://weights.example/x"), "redirects to ftp://.*, which is not https; refused"),
    "redirect in a circle": (redirect("/"), "the server answers 302"),
    "redirect to nowhere": (redirect("http://[bad/"), "cannot reach"),
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ttsr.weights.https._TIMEOUT_S", 0.5)


@pytest.fixture
def cached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("ttsr.weights.download._MOST_BYTES", 10**6)
    monkeypatch.setenv("TTSR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")


@contextmanager
def serving(behave: Answering) -> Iterator[str]:
    """A server that behaves so, at this address."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                while b"\r\n\r\n" not in self.request.recv(2**16):
                    pass
                behave(self.request)

    class Threads(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Threads(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def refused(behave: Answering, message: str, folder: Path) -> None:
    """Fails unless the download ends in one line of this kind, and leaves at most what can be resumed."""
    with serving(behave) as address, pytest.raises(WeightsError, match=message) as caught:
        fetch(f"{address}/ttsr_x4-{DIGITS}.pth")
    assert str(caught.value).isprintable() and len(str(caught.value)) < 700
    assert list(folder.iterdir()) == [] or files(folder) == ["part"]


@pytest.mark.usefixtures("cached")
@pytest.mark.parametrize("case", BAD_SERVERS)
def test_a_server_that_misbehaves_ends_in_one_line(case: str, tmp_path: Path) -> None:
    refused(*BAD_SERVERS[case], tmp_path)


@pytest.mark.usefixtures("cached", "impatient")
@pytest.mark.parametrize("case", SLOW_SERVERS)
def test_a_server_that_hangs_is_given_up(case: str, tmp_path: Path) -> None:
    refused(*SLOW_SERVERS[case], tmp_path)


@pytest.mark.usefixtures("cached", "impatient")
def test_a_proxy_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("no_proxy")
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.delenv(name.upper(), raising=False)
    with serving(nothing) as proxy:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, proxy)
        for scheme, host in (("http", "127.0.0.1"), ("https", "weights.example")):
            with pytest.raises(WeightsError, match=f"cannot reach {scheme}://{host}/a.pth .*(nothing for|timed out)"):
                fetch(f"{scheme}://{host}/a.pth")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url", ["http://weights.example/a.pth", "http://10.0.0.1/a.pth", "http://127.0.0.1.example/a.pth"]
)
def test_only_https(url: str, server: Server, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=f"{url}: is not https"):
        fetch(url)
    assert list(tmp_path.iterdir()) == []


def test_redirects_within_this_machine_are_followed(server: Server) -> None:
    with serving(redirect(server.good)) as address:
        assert fetch(f"{address}/ttsr_x4-{DIGITS}.pth").read_bytes() == CONTENT


def test_a_link_in_place_of_the_partial_file_is_not_followed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    part_of(server.good).symlink_to(tmp_path / "precious")
    with pytest.raises(WeightsError, match="cannot be written"):
        fetch(server.good)
    assert (tmp_path / "precious").read_bytes() == b"precious"


@pytest.mark.parametrize("place", ["cache", f"cache/ttsr_x4-{DIGITS}.pth.download"])
def test_a_file_in_place_of_a_folder(place: str, server: Server, tmp_path: Path) -> None:
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).touch()
    with pytest.raises(WeightsError, match="cannot be written"):
        fetch(server.good)
    assert files(tmp_path) == [Path(place).name]


def test_a_link_to_nowhere_is_replaced(server: Server, tmp_path: Path) -> None:
    target = cache_path(server.good)
    target.parent.mkdir()
    target.symlink_to(tmp_path / "nowhere")
    assert fetch(server.good).read_bytes() == CONTENT
    assert not target.is_symlink()
