"""Pictures that were uploaded, kept for a time by the digest of their bytes."""

import hashlib
import itertools
import os
import re
import tempfile
import time
from collections import Counter, OrderedDict
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


Key = tuple[str, str]
"""The address of a client, and the digest of a picture that it has sent."""


@dataclass(frozen=True)
class _Entry:
    """A picture, and when it was last used."""

    picture: StoredPicture
    used: float


class PictureStore:
    """Pictures by digest, of each client address its own: others cannot find out what it has sent.

    Where there are too many bytes, or pictures, those go that the client with the most has used least recently.

    Args:
        folder: where they lie; it exists.
        most_bytes: of all together.
        keep_seconds: since each was last used.
    """

    def __init__(self, folder: Path, most_bytes: int, keep_seconds: float) -> None:
        self._folder, self._most, self.keep_seconds = folder, most_bytes, keep_seconds
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._bytes, self._pictures = Counter[str](), Counter[str]()  # by client address
        self._numbers = itertools.count()

    @property
    def num_bytes(self) -> int:
        """Of all pictures that are kept."""
        return self._bytes.total()

    def get(self, digest: str, client: str) -> StoredPicture | None:
        """A picture that the client has sent, which is thereby used."""
        entry = self._entries.get((client, digest))
        if entry is None:
            return None
        self._entries[client, digest] = replace(entry, used=time.monotonic())
        self._entries.move_to_end((client, digest))
        return entry.picture

    def add(self, picture: StoredPicture, client: str) -> StoredPicture:
        """Keep a picture, whose file is moved here; one of the same bytes that the client has sent before stays."""
        key = client, picture.digest
        known = self._entries.pop(key, None)
        if known is None:
            file = self._folder / str(next(self._numbers))
            os.replace(picture.file, file)
            self._bytes[client] += picture.num_bytes
            self._pictures[client] += 1
        else:
            file = known.picture.file
            picture.file.unlink()
        self._entries[key] = _Entry(replace(picture, file=file), time.monotonic())
        while len(self._entries) > 1 and self.num_bytes > self._most:
            self._make_room(self._bytes)
        while len(self._entries) > _MOST:
            self._make_room(self._pictures)
        return self._entries[key].picture

    def expire(self) -> None:
        """Remove the pictures whose time is over."""
        over = time.monotonic() - self.keep_seconds
        for key in [key for key, entry in self._entries.items() if entry.used < over]:
            self._remove(key)

    def _make_room(self, taken: Counter[str]) -> None:
        """Remove a picture, but not the newest, of the client that has taken most."""
        ((largest, _),) = taken.most_common(1)
        *older, _ = self._entries
        self._remove(next((key for key in older if key[0] == largest), older[0]))

    def _remove(self, key: Key) -> None:
        picture = self._entries.pop(key).picture
        self._bytes -= Counter({key[0]: picture.num_bytes})
        self._pictures -= Counter({key[0]: 1})
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
