"""Pictures that were uploaded, kept for a time by the digest of their bytes."""

import hashlib
import os
import re
import tempfile
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from ttsr.service.job_request import StoredPicture

UNNAMED = "picture"
_CHUNK = 2**20
_LONGEST_NAME = 100
_MOST = 10_000


class TooLarge(Exception):
    """More bytes than a picture may have."""


@dataclass(frozen=True)
class _Entry:
    """A picture, the client address that sent it, and when it was last used."""

    picture: StoredPicture
    client: str
    used: float


class PictureStore:
    """Pictures by digest. Those used least recently go first where there are too many bytes.

    Args:
        folder: where they lie; it exists.
        most_bytes: of all together.
        keep_seconds: since each was last used.

    Attributes:
        num_bytes: of all that are kept.
    """

    def __init__(self, folder: Path, most_bytes: int, keep_seconds: float) -> None:
        self._folder, self._most, self.keep_seconds = folder, most_bytes, keep_seconds
        self._pictures: OrderedDict[str, _Entry] = OrderedDict()
        self.num_bytes = 0

    def get(self, digest: str, client: str) -> StoredPicture | None:
        """A picture, which is thereby used. Its name is told only to the client address that it came from."""
        entry = self._pictures.get(digest)
        if entry is None:
            return None
        picture = entry.picture if client == entry.client else replace(entry.picture, name=UNNAMED)
        self._keep_entry(_Entry(entry.picture, entry.client, time.monotonic()))
        return picture

    def add(self, picture: StoredPicture, client: str) -> StoredPicture:
        """Keep a picture, whose file is moved here; one with the same bytes is kept once."""
        file = self._folder / picture.digest
        os.replace(picture.file, file)
        stored = replace(picture, file=file)
        self._keep_entry(_Entry(stored, client, time.monotonic()))
        return stored

    def _keep_entry(self, entry: _Entry) -> None:
        digest = entry.picture.digest
        self.num_bytes += entry.picture.num_bytes if digest not in self._pictures else 0
        self._pictures[digest] = entry
        self._pictures.move_to_end(digest)
        while len(self._pictures) > 1 and (self.num_bytes > self._most or len(self._pictures) > _MOST):
            self._remove(next(iter(self._pictures)))

    def expire(self) -> None:
        """Remove the pictures whose time is over."""
        over = time.monotonic() - self.keep_seconds
        for digest in [digest for digest, entry in self._pictures.items() if entry.used < over]:
            self._remove(digest)

    def _remove(self, digest: str) -> None:
        picture = self._pictures.pop(digest).picture
        self.num_bytes -= picture.num_bytes
        picture.file.unlink(missing_ok=True)


@contextmanager
def received(source: BinaryIO, folder: Path, most_bytes: int) -> Iterator[tuple[Path, str, int]]:
    """The bytes of an upload in a file of the folder, their SHA-256 and number; the file is removed if it still exists.

    Raises:
        TooLarge: there are more than `most_bytes`.
    """
    handle, name = tempfile.mkstemp(dir=folder, prefix="upload-")
    digest, size = hashlib.sha256(), 0
    try:
        with os.fdopen(handle, "wb") as file:
            while chunk := source.read(_CHUNK):
                size += len(chunk)
                if size > most_bytes:
                    raise TooLarge
                digest.update(chunk)
                file.write(chunk)
        yield Path(name), digest.hexdigest(), size
    finally:
        Path(name).unlink(missing_ok=True)


def shown_name(name: str | None) -> str:
    """The name of an upload for people, without folders and control characters."""
    last = re.split(r"[/\\]", name or "")[-1]
    printable = "".join(character for character in last if character.isprintable()).strip()
    return printable[:_LONGEST_NAME] or UNNAMED
