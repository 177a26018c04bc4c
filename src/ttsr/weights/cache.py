"""The cache of downloaded weights, and the hashes that verify them."""

import hashlib
import os
import re
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ttsr.errors import WeightsError

_MAX_NAME = 120


def cache_folder() -> Path:
    """The user's cache: `$TTSR_CACHE` if set, otherwise the platform's folder for caches.

    Raises:
        WeightsError: the user has no home folder to keep it in.
    """
    try:
        return _cache_folder()
    except RuntimeError:
        raise WeightsError("no home folder to keep downloads in", "set TTSR_CACHE to a folder for them") from None


def _cache_folder() -> Path:
    if chosen := os.environ.get("TTSR_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "ttsr" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/ttsr"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ttsr"


def cache_path(url: str) -> Path:
    """The file that a URL is cached in.

    A name that states the file's hash is unique; other files get a folder named by the hash of their URL.

    Raises:
        WeightsError: the URL is malformed, or there is no folder for the cache.
    """
    try:
        last = unquote(urlsplit(url).path.rpartition("/")[2])
    except ValueError as error:
        raise WeightsError(f"{url}: is not a valid URL ({error})") from None
    # The end of the name, which states the hash. ASCII, since file systems limit names to 255 bytes or less.
    name = re.sub(r"[^\w.+-]", "_", last, flags=re.ASCII)[-_MAX_NAME:].lstrip(".") or "weights"
    if hash_prefix(name):
        return cache_folder() / name
    return cache_folder() / hashlib.sha256(url.encode()).hexdigest()[:12] / name


def hash_prefix(name: str) -> str:
    """The first digits of the sha256 in a file's name, as in `ttsr-b0dba584.pth` (PyTorch's convention), or ""."""
    match = re.search(r"-([0-9a-f]{8,64})\.(?:pth|pt|safetensors)$", name)
    return match[1] if match else ""


def check_hash(path: Path, prefix: str) -> None:
    """Check that a file's sha256 begins with `prefix`.

    Raises:
        WeightsError: it does not, or the file is unreadable.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from None
    if not digest.startswith(prefix):
        what = f"{path}: its sha256 begins with {digest[: len(prefix)]}, not {prefix}"
        raise WeightsError(what, "remove the file and download it again")
