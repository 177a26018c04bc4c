"""Where fetched weights are kept, and whether they are what their name says."""

import hashlib
import os
import re
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ttsr.errors import WeightsError

_LONGEST_NAME = 120


def cache_folder() -> Path:
    """The user's cache: `$TTSR_CACHE` if set, otherwise where the platform keeps caches."""
    if chosen := os.environ.get("TTSR_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "ttsr" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/ttsr"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ttsr"


def cache_path(url: str) -> Path:
    """The file that a URL's content is kept in.

    A name that ends in digits of its own hash needs no more; others get a folder by the URL, since two sites
    may give one name to different files.

    Raises:
        WeightsError: it is no URL.
    """
    try:
        last = unquote(urlsplit(url).path.rpartition("/")[2])
    except ValueError as error:
        raise WeightsError(f"{url}: is no URL ({error})") from None
    # The end of the name, for it holds the hash, and ASCII: file systems take 255 bytes, some with less to spare.
    name = re.sub(r"[^\w.+-]", "_", last, flags=re.ASCII)[-_LONGEST_NAME:].lstrip(".") or "weights"
    if hash_prefix(name):
        return cache_folder() / name
    return cache_folder() / hashlib.sha256(url.encode()).hexdigest()[:12] / name


def hash_prefix(name: str) -> str:
    """The first digits of the sha256 that a file's name states, as in `ttsr-b0dba584.pth`; else empty.

    This is PyTorch's convention for published weights.
    """
    match = re.search(r"-([0-9a-f]{8,64})\.(?:pth|pt|safetensors)$", name)
    return match[1] if match else ""


def check_hash(path: Path, prefix: str) -> None:
    """Compare a file's sha256 with its first digits.

    Raises:
        WeightsError: they differ, or the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from None
    if not digest.startswith(prefix):
        found = digest[: len(prefix)]
        raise WeightsError(f"{path}: its sha256 begins with {found}, not {prefix}: remove the file and fetch it anew")
