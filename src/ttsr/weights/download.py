"""Downloads into the cache: complete, verified by hash, resumed after a broken connection, and each by one process."""

import http.client
import os
import re
import time
import urllib.error
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from email.message import Message
from pathlib import Path

from ttsr.errors import UserError, WeightsError
from ttsr.progress import Progress
from ttsr.system.folder_lock import lock_folder
from ttsr.system.plain_text import plain
from ttsr.weights.cache import cache_path, check_hash, hash_prefix
from ttsr.weights.https import Answer, LostError, RefusedError, request, require_https

_ATTEMPTS = 3
_PAUSE_S = 1.0  # after the first failed attempt, doubled after each further one
_GLANCE_S = 0.2  # between two looks at whether another process is done
_MOST_BYTES = 2**33  # a server that sends more sends no weights
_NUMBER = r"(\d{1,18})"


def fetch(url: str, progress: Progress | None = None) -> Path:
    """The local copy of a URL, from the user's cache or downloaded into it.

    A broken transfer is resumed (by three attempts here, then by the next call) if the file's name states its hash, so
    that the result can be verified. The file gets its name only when it is complete. Of several processes that want a
    file one downloads it, and the others wait. The progress is the fraction of the file, if the server states its size.

    Raises:
        WeightsError: the URL is malformed, not https or not downloadable, the transfer breaks or is endless, the
            content does not match the hash, or the cache cannot be written to.
    """
    target, progress = cache_path(url), progress or Progress()
    require_https(url)
    prefix = hash_prefix(target.name)
    if os.path.exists(target):  # unlike Path's, not raising where the folder may not be looked into
        if prefix:
            check_hash(target, prefix)
        return target
    try:
        with _folder(target.parent), _turn(target, progress) as folder:
            if not os.path.exists(target):  # another process may have been faster
                _fetch_whole(url, target, folder / "part", prefix, progress)
    except OSError as error:
        raise WeightsError(f"{target}: cannot be written ({error.strerror or error})") from None
    return target


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Create a folder; if the block fails, the folders created here are removed unless they contain something."""
    created = [path for path in (folder, *folder.parents) if not os.path.exists(path)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for path in created:
            with suppress(OSError):
                path.rmdir()
        raise


@contextmanager
def _turn(target: Path, progress: Progress) -> Iterator[Path]:
    """A folder for the partial file, which is this call's alone; it stays only while there is something to resume.

    The system gives it free when a process is killed, and what that one has received is resumed.
    """
    folder = target.with_name(f"{target.name}.download")
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(lock_folder(folder))
                break
            except FileNotFoundError:  # removed by the one before, between our making it and opening the lock in it
                if not os.path.isdir(target.parent):
                    raise
            except UserError:
                progress.update(0.0, f"{target.name}, by another process")
                time.sleep(_GLANCE_S)
        yield folder


class _EndlessError(WeightsError):
    """The server sends more than any weights have."""


class _Broken(Exception):
    """The transfer ended before the file was complete."""


def _fetch_whole(url: str, target: Path, part: Path, prefix: str, progress: Progress) -> None:
    """Complete and verify `part`, and give it its name. It stays only if it can be resumed."""
    try:
        if not prefix:
            part.unlink(missing_ok=True)
        _complete(url, target, part, prefix, progress)
        part.replace(target)
    except BaseException as error:
        # A full disk shall not stay full, nor be filled by what does not end.
        if not prefix or isinstance(error, OSError | _EndlessError):
            with suppress(OSError):
                part.unlink()
        raise


def _complete(url: str, target: Path, part: Path, prefix: str, progress: Progress) -> None:
    resumed = part.exists()
    for attempt in range(_ATTEMPTS):
        try:
            _transfer(url, target, part, progress)
            break
        except _Broken as broken:
            if not prefix:
                part.unlink(missing_ok=True)
            if attempt + 1 == _ATTEMPTS:
                remedy = "run it again, the download will resume" if prefix else "run it again"
                raise WeightsError(f"{url}: {broken}", remedy) from None
            time.sleep(_PAUSE_S * 2**attempt)
    if not prefix:
        return
    try:
        check_hash(part, prefix)
    except WeightsError:
        part.unlink()
        if resumed:  # the earlier part may belong to another file
            return _complete(url, target, part, prefix, progress)
        raise WeightsError(f"{url}: the content is not the file whose sha256 begins with {prefix}; discarded") from None


def _transfer(url: str, target: Path, part: Path, progress: Progress) -> None:
    """Append the missing bytes to `part`, by one request."""
    have = part.stat().st_size if part.exists() else 0
    with ExitStack() as held:
        try:
            answer = held.enter_context(request(url, {"Range": f"bytes={have}-"} if have else {}, progress))
        except urllib.error.HTTPError as error:
            if error.code == 416 and _number(rf"/{_NUMBER}$", error.headers) == have:
                return  # already complete
            if error.code == 416:
                part.unlink()
                raise _Broken("the server cannot resume where the last attempt stopped") from None
            raise WeightsError(f"{url}: the server answers {error.code} {plain(str(error.reason))[:200]}") from None
        except RefusedError as error:
            raise WeightsError(f"{url}: {plain(str(error))[:400]}; refused for safety") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            remedy = f"download it elsewhere and save it as {target} (create the folder if necessary)"
            raise WeightsError(f"cannot reach {url} ({plain(str(reason))[:200]})", remedy) from None
        _receive(answer, url, target, part, have, progress)


def _receive(answer: Answer, url: str, target: Path, part: Path, have: int, progress: Progress) -> None:
    """Append the body of an answer to `part`, which has so many bytes; or write it anew if it is the whole file."""
    resuming = answer.status == 206 and _number(rf"^bytes {_NUMBER}-", answer.headers) == have
    if answer.status == 206 and not resuming:
        part.unlink(missing_ok=True)
        raise _Broken("the server sent another part than requested")
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise WeightsError(f"{url}: the server sends it compressed, which was not asked for")
    have = have if resuming else 0
    length = re.fullmatch(_NUMBER, answer.headers.get("Content-Length", "").strip(), re.ASCII)
    total = have + int(length[1]) if length else None
    if max(total or 0, have) > _MOST_BYTES:
        raise _EndlessError(f"{url}: would be {(total or have) / 2**30:.0f} GiB; weights are not that large")
    with open(part, "ab" if resuming else "wb", opener=_no_link) as file:
        try:
            for chunk in answer.chunks:
                file.write(chunk)
                have += len(chunk)
                if have > _MOST_BYTES:
                    raise _EndlessError(f"{url}: does not end after {have / 2**30:.0f} GiB; weights are not that large")
                progress.update(min(have / total, 1) if total else 0.0, target.name)
        except LostError as lost:
            raise _Broken(f"{lost} after {have} of {total or 'unknown'} bytes") from None
    if total is not None and have < total:
        raise _Broken(f"the connection broke after {have} of {total} bytes")


def _no_link(path: str, flags: int) -> int:
    """Open a file, but not what a link of that name leads to."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _number(pattern: str, headers: Message) -> int | None:
    """A number of the Content-Range."""
    match = re.search(pattern, headers.get("Content-Range", ""), re.ASCII)
    return int(match[1]) if match else None
