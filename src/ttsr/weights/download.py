"""Downloads into the cache: complete, verified by hash, and resumed after a broken connection."""

import glob
import http.client
import re
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from email.message import Message
from pathlib import Path

from ttsr import __version__
from ttsr.errors import WeightsError
from ttsr.progress import Progress
from ttsr.weights.cache import cache_path, check_hash, hash_prefix

_ATTEMPTS = 3
_PAUSE_S = 1.0  # after the first failed attempt, doubled after each further one
_TIMEOUT_S = 30
_CHUNK = 2**18
_ABANDONED_S = 600.0  # a partial file that has not changed for so long belongs to a killed process


def fetch(url: str, progress: Progress | None = None) -> Path:
    """The local copy of a URL, from the user's cache or downloaded into it.

    A broken transfer is resumed (by three attempts here, then by the next call) if the file's name states its hash, so
    that the result can be verified. The file gets its name only when it is complete. The progress is the fraction of
    the file, if the server states its size.

    Raises:
        WeightsError: the URL is malformed or not downloadable, the transfer breaks, the content does not match the
            hash, or the cache cannot be written to.
    """
    target = cache_path(url)
    prefix = hash_prefix(target.name)
    if target.exists():
        if prefix:
            check_hash(target, prefix)
        return target
    try:
        with _folder(target.parent), _part_of(target) as part:
            if not prefix:
                part.unlink(missing_ok=True)
            _fetch_whole(url, target, part, prefix, progress or Progress())
            part.replace(target)
    except OSError as error:
        raise WeightsError(f"{target}: cannot be written ({error.strerror or error})") from None
    return target


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Create a folder; if the block fails, the folders created here are removed unless they contain something."""
    created = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for path in created:
            with suppress(OSError):
                path.rmdir()
        raise


@contextmanager
def _part_of(target: Path) -> Iterator[Path]:
    """A partial file for this call alone, since other processes may download the same URL.

    It starts as the partial file of an earlier call if there is any, and is kept for a later call.
    """
    kept = target.with_name(f"{target.name}.part")
    own = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    for earlier in (kept, *target.parent.glob(f"{glob.escape(target.name)}.????????.part")):
        with suppress(FileNotFoundError):  # another process was faster
            if earlier == kept or time.time() - earlier.stat().st_mtime > _ABANDONED_S:
                earlier.replace(own)
                break
    try:
        yield own
    finally:
        with suppress(FileNotFoundError):
            own.replace(kept)


class _Broken(Exception):
    """The transfer ended before the file was complete."""


def _fetch_whole(url: str, target: Path, part: Path, prefix: str, progress: Progress) -> None:
    """Complete and verify `part`."""
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
            return _fetch_whole(url, target, part, prefix, progress)
        raise WeightsError(f"{url}: the content is not the file whose sha256 begins with {prefix}; discarded") from None


def _transfer(url: str, target: Path, part: Path, progress: Progress) -> None:
    """Append the missing bytes to `part`, by one request."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": f"ttsr/{__version__}"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        with closing(error):
            if error.code == 416 and _number(r"/(\d+)$", error.headers) == have:
                return  # already complete
            if error.code == 416:
                part.unlink()
                raise _Broken("the server cannot resume where the last attempt stopped") from None
            raise WeightsError(f"{url}: the server answers {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        remedy = f"download it elsewhere and save it as {target} (create the folder if necessary)"
        raise WeightsError(f"cannot reach {url} ({reason})", remedy) from None
    with closing(response):
        resuming = response.status == 206 and _number(r"^bytes (\d+)-", response.headers) == have
        if response.status == 206 and not resuming:
            part.unlink(missing_ok=True)
            raise _Broken("the server sent another part than requested")
        have = have if resuming else 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length and length.isdecimal() else None
        with part.open("ab" if resuming else "wb") as file:
            while chunk := _read(response, have, total):
                file.write(chunk)
                have += len(chunk)
                progress.update(have / total if total else 0.0, target.name)
    if total is not None and have < total:
        raise _Broken(f"the connection broke after {have} of {total} bytes")


def _read(response: http.client.HTTPResponse, have: int, total: int | None) -> bytes:
    try:
        return response.read(_CHUNK)
    except (OSError, http.client.HTTPException):
        raise _Broken(f"the connection broke after {have} of {total or 'unknown'} bytes") from None


def _number(pattern: str, headers: Message) -> int | None:
    """A number of the Content-Range."""
    match = re.search(pattern, headers.get("Content-Range", ""))
    return int(match[1]) if match else None
