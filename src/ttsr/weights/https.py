"""Requests over https that end: no redirect leaves https, and no server is waited for without limit."""

import http.client
import ipaddress
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

from ttsr import __version__
from ttsr.errors import WeightsError
from ttsr.progress import Progress

_TIMEOUT_S = 30.0  # for each of: the connection, the whole head of the answer, and any further part of its body
_LEAST_RATE = 1024  # bytes a second, over as long
_CHUNK = 2**18
_CHUNKS_AHEAD = 8
_GLANCE_S = 0.1  # between two looks at whether it was cancelled


class LostError(Exception):
    """The connection broke within an answer, or is so slow that it would not end."""


class RefusedError(OSError):
    """A redirect to where nobody vouches for what is sent."""


@dataclass(frozen=True)
class Answer:
    """An answer of a server, whose body is received while it is taken.

    Attributes:
        status: such as 200.
        headers: of the answer.
        chunks: the body, piece by piece; raises `LostError`, or ends early where the connection does.
    """

    status: int
    headers: Message
    chunks: Iterator[bytes]


def require_https(url: str) -> None:
    """Check that nobody can change on its way what a URL stands for.

    Raises:
        WeightsError: it is neither https nor http to this machine.
    """
    if urlsplit(url).scheme.lower() != "https" and not _is_here(url):
        raise WeightsError(f"{url}: is not https", "name an https URL, or download it elsewhere and name the file")


@contextmanager
def request(url: str, headers: Mapping[str, str], progress: Progress) -> Iterator[Answer]:
    """Ask for a URL, by way of the proxy that the environment names, if any.

    The work is done by a thread, which is left behind where the server keeps it: its name may be looked up, and the
    head of its answer be sent byte by byte, for as long as it likes.

    Raises:
        urllib.error.HTTPError: the server refuses; it is closed.
        RefusedError: it redirects to what is neither https nor, from this machine itself, this machine.
        OSError: it cannot be reached, or does not answer in time; so do `http.client.HTTPException` and `ValueError`.
        Cancelled: the progress was.
    """
    received: queue.Queue[Any] = queue.Queue(_CHUNKS_AHEAD)
    left = threading.Event()
    asked = urllib.request.Request(url, headers={"User-Agent": f"ttsr/{__version__}", **headers})
    threading.Thread(target=_receive, args=(asked, received, left), daemon=True).start()
    try:
        status, head = _taken(received, progress)
        yield Answer(status, head, _chunks(received, progress))
    finally:
        left.set()


def _receive(asked: urllib.request.Request, received: queue.Queue[Any], left: threading.Event) -> None:
    """Put the head of the answer, the chunks of its body and None, or an error, for as long as they are wanted."""

    def put(item: Any) -> None:
        while not left.is_set():
            try:
                return received.put(item, timeout=_GLANCE_S)
            except queue.Full:
                pass

    try:
        with urllib.request.build_opener(_SafeRedirects).open(asked, timeout=_TIMEOUT_S) as response:
            put((response.status, response.headers))
            while not left.is_set() and (chunk := response.read1(_CHUNK)):
                put(chunk)
        put(None)
    except urllib.error.HTTPError as error:
        error.close()
        put(error)
    except Exception as error:
        put(error)


def _taken(received: queue.Queue[Any], progress: Progress) -> Any:
    """The next of what `_receive` puts, in time."""
    end = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            item = received.get(timeout=_GLANCE_S)
        except queue.Empty:
            if progress.is_cancelled:
                progress.update(0.0)
            if time.monotonic() > end:
                raise TimeoutError(f"the server sent nothing for {_TIMEOUT_S:.0f} s") from None
            continue
        if isinstance(item, Exception):
            raise item
        return item


def _chunks(received: queue.Queue[Any], progress: Progress) -> Iterator[bytes]:
    since, size = time.monotonic(), 0
    while True:
        try:
            chunk = _taken(received, progress)
        except TimeoutError as error:
            raise LostError(str(error)) from None
        except (OSError, http.client.HTTPException, ValueError):
            raise LostError("the connection broke") from None
        if chunk is None:
            return
        yield chunk
        size += len(chunk)
        if (elapsed := time.monotonic() - since) > _TIMEOUT_S:
            if size < _LEAST_RATE * elapsed:
                raise LostError(f"the server sent {size} bytes in {elapsed:.0f} s, the connection was given up")
            since, size = time.monotonic(), 0


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        is_here = _is_here(req.full_url) and _is_here(newurl)
        if urlsplit(newurl).scheme.lower() != "https" and not is_here:
            raise RefusedError(f"it redirects to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _is_here(url: str) -> bool:
    """Whether it is http to this machine itself, which nobody else can listen to."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        return parts.scheme.lower() == "http" and (host == "localhost" or ipaddress.ip_address(host).is_loopback)
    except ValueError:
        return False
