"""A data set's files: a folder of them, or one packed file.

The packed form is a ZIP. `ttsr pack` writes it with members that are stored as they are, so that each picture is a
slice of the file; deflated members, as in most ZIPs for download, are inflated when they are read.
"""

import errno
import os
import struct
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from ttsr.errors import DataError, ImageError
from ttsr.images.formats import READ
from ttsr.images.opening import open_file
from ttsr.images.picture import Picture
from ttsr.images.reading import decode_picture, stored_size

# A member's local header: its signature, 22 bytes that the central directory repeats, and the lengths of the name and
# of the extra field, after which the data begins. The extra field may differ from the central directory's.
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_LOCAL_SIGNATURE = b"PK\3\4"
_ENCRYPTED = 0x1

# Deflate shrinks to a 1032nd at most; and no picture of a data set that is deflated is larger than this.
_MOST_INFLATION, _MOST_INFLATED = 1032, 2**28
_MOST_TEXT = 2**26  # bytes: the manifest of half a million photos
_MOST_NAME = 1024

# How the system says that a disk or a network share is gone, or does not answer.
_GONE_NAMES = (
    *("EIO", "ENODEV", "ENXIO", "ESTALE", "ETIMEDOUT", "EREMOTEIO", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN"),
    *("ENETUNREACH", "ENOTCONN", "ECONNRESET", "ECONNABORTED", "ESHUTDOWN"),
)
_GONE = {number for number, name in errno.errorcode.items() if name in _GONE_NAMES}

_HEAD = 2**16  # bytes that hold nearly every picture's header


class AwayError(DataError):
    """The files cannot be read at the moment: of a network share or a disk that is gone, but may come back."""


class Store(ABC):
    """Files by name, relative and separated by '/'. It can be sent to other processes, and read in forked ones.

    Attributes:
        where: the folder or file, for messages.
        names: of the pictures, by their suffix and in order; hidden ones left out.
    """

    where: str
    names: tuple[str, ...]

    @abstractmethod
    def read(self, name: str, length: int | None = None) -> bytes:
        """All of a file, or its first `length` bytes; damage to a packed file may go unnoticed in these.

        Raises:
            ImageError: it is missing or unreadable.
            AwayError: so are all of them, for now.
        """

    @abstractmethod
    def files(self) -> list[Path]:
        """All files on the disk that it may read: none of them may be overwritten."""

    @abstractmethod
    def holds(self, name: str) -> bool:
        """Whether there is a file of that name, a picture or not."""

    def shown(self, name: str) -> str:
        """How messages call a file."""
        return f"{self.where}/{name}"

    def text(self, name: str) -> str | None:
        """A text file's content, or None if there is no such file.

        Raises:
            DataError: it cannot be read, is not UTF-8, or is far too long.
        """
        if not self.holds(name):
            return None
        try:
            if len(self.read(name, _MOST_TEXT + 1)) > _MOST_TEXT:
                raise DataError(f"{self.shown(name)}: longer than {_MOST_TEXT // 2**20} MB", "make it shorter")
            return self.read(name).decode("utf-8-sig")  # spreadsheets put a byte order mark before it
        except ImageError as error:
            raise DataError(str(error)) from None
        except UnicodeDecodeError:
            raise DataError(f"{self.shown(name)}: not UTF-8 text", "save it as such") from None

    def picture(self, name: str) -> Picture:
        """A picture, decoded; raises as `read_picture`."""
        return decode_picture(self.read(name), self.shown(name))

    def size(self, name: str) -> tuple[int, int]:
        """Width and height of a picture by its header, before it is rotated the right way up.

        Raises:
            ImageError: unreadable header. Damage further on goes unnoticed.
        """
        try:
            return stored_size(self.read(name, _HEAD), self.shown(name))
        except ImageError:  # a header further on, or a format that is checked as a whole
            return stored_size(self.read(name), self.shown(name))


def open_store(path: Path) -> Store:
    """The folder, or the packed file, at `path`.

    Raises:
        DataError: neither is there, or it cannot be read, is cut off, or is no ZIP of stored or deflated members.
    """
    if os.path.isdir(path):  # unlike Path's, not raising on a name that is too long
        return FolderStore(path)
    if not os.path.exists(path):
        raise DataError(f"{path}: no such folder or packed file", "give a folder of pictures or a packed file")
    return PackedStore(path)


class FolderStore(Store):
    """A folder and its sub-folders; links to folders are followed."""

    def __init__(self, folder: Path) -> None:
        self.where, self._folder = str(folder), folder
        self.names = _pictures(self._walk())

    def _walk(self) -> list[str]:
        def fail(error: OSError) -> None:
            raise DataError(f"{error.filename}: the folder cannot be read ({error.strerror})")

        names: list[str] = []
        for folder, folders, files in os.walk(self._folder, onerror=fail, followlinks=True):
            here = os.path.realpath(folder)
            folders[:] = [name for name in folders if not _is_cyclic(os.path.join(folder, name), here)]
            relative = Path(folder).relative_to(self._folder)
            names += [(relative / name).as_posix() for name in files]
        return names

    def holds(self, name: str) -> bool:
        """See `Store.holds`."""
        return os.path.isfile(self._folder / name)

    def files(self) -> list[Path]:
        """See `Store.files`."""
        return [self._folder / name for name in self._walk()]

    def read(self, name: str, length: int | None = None) -> bytes:
        """See `Store.read`."""
        path = self._folder / name
        try:
            with open_file(path, self.shown(name)) as file:
                return file.read(length)
        except ImageError as error:
            if isinstance(error.__context__, OSError) and _is_away(error.__context__, path.parent):
                raise AwayError(error.what) from None
            raise


@dataclass(frozen=True)
class _Member:
    """Where a member of a ZIP lies, and what its content must be."""

    offset: int
    packed_size: int
    size: int
    checksum: int
    deflated: bool


class PackedStore(Store):
    """A ZIP of stored or deflated members. Sent to another process, its index is read again there.

    The file is opened anew for each read: one that was open when its network share went would stay unreadable when the
    share comes back, and memory that it is mapped to would end the process.
    """

    def __init__(self, file: Path) -> None:
        self.where, self._file = str(file), file
        try:
            with file.open("rb") as opened:
                self._members = _read_index(opened, file)
        except OSError as error:
            raise DataError(f"{file}: cannot be read ({error.strerror or error})") from None
        self.names = _pictures(self._members)

    def __reduce__(self) -> tuple[type["PackedStore"], tuple[Path]]:
        return PackedStore, (self._file,)

    def holds(self, name: str) -> bool:
        """See `Store.holds`."""
        return name in self._members

    def files(self) -> list[Path]:
        """See `Store.files`."""
        return [self._file]

    def read(self, name: str, length: int | None = None) -> bytes:
        """See `Store.read`."""
        if name not in self._members:
            raise ImageError(f"{self.shown(name)}: there is no such file in it")
        member = self._members[name]
        try:
            with self._file.open("rb") as file:
                file.seek(member.offset)
                header = file.read(_LOCAL_HEADER.size)
                if len(header) == _LOCAL_HEADER.size:
                    signature, name_length, extra_length = _LOCAL_HEADER.unpack(header)
                    start = file.seek(name_length + extra_length, os.SEEK_CUR)
                    wanted = member.size if length is None else min(length, member.size)
                    whole = start + member.packed_size <= os.fstat(file.fileno()).st_size
                    if signature == _LOCAL_SIGNATURE and whole:
                        data = _content(file, member, wanted)
                        if len(data) == wanted and (length is not None or zlib.crc32(data) == member.checksum):
                            return data
        except OSError as error:
            raise AwayError(f"{self.where}: cannot be read ({error.strerror or error})") from None
        raise ImageError(f"{self.shown(name)}: damaged in the packed file", "pack it anew")


def _content(file: IO[bytes], member: _Member, wanted: int) -> bytes:
    """The first `wanted` bytes of the content of the member that begins here; fewer where it is damaged."""
    if not member.deflated:
        return file.read(wanted)
    if not wanted:
        return b""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(file.read(member.packed_size), wanted)
    except zlib.error:
        return b""


def _is_away(error: OSError, folder: Path) -> bool:
    """Whether a file of the folder could not be read because the whole folder is gone, as far as can be told.

    A share that is not mounted leaves an empty folder, or none. A single file that is gone leaves the others.
    """
    if error.errno in _GONE:
        return True
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except OSError:
        return True


def _is_cyclic(path: str, here: str) -> bool:
    """Whether a folder in `here` is a link to `here` or above it, which would be walked endlessly."""
    return os.path.islink(path) and Path(here).is_relative_to(os.path.realpath(path))


def _read_index(opened: IO[bytes], file: Path) -> dict[str, _Member]:
    """The members by name."""
    try:
        with zipfile.ZipFile(opened) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
    except OSError:
        raise
    except Exception as error:  # damaged bytes make zipfile raise struct.error, ValueError and more beside BadZipFile
        raise DataError(f"{file}: not a packed data set, or cut off ({error})", "make it with `ttsr pack`") from None
    for member in members:
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts or len(member.filename) > _MOST_NAME:
            what = f"{file}: {member.filename[:80]!r} in it is not the name of a file below a folder"
            raise DataError(what, "make it anew")
        encrypted = member.flag_bits & _ENCRYPTED
        if encrypted or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            kind = "encrypted" if encrypted else "compressed by another method than deflate"
            remedy = "unpack it, and pack the folder by `ttsr pack`"
            raise DataError(f"{file}: {member.filename} is {kind} in it", remedy)
        if member.header_offset < 0:
            raise DataError(f"{file}: damaged: {member.filename} would begin before the file", "make it anew")
        deflated = member.compress_type == zipfile.ZIP_DEFLATED
        most = min(member.compress_size * _MOST_INFLATION, _MOST_INFLATED) if deflated else member.compress_size
        if member.file_size > most:
            raise DataError(f"{file}: {member.filename} would unpack to far more than its size", "make it anew")
    return {
        member.filename: _Member(
            member.header_offset,
            member.compress_size,
            member.file_size,
            member.CRC,
            member.compress_type == zipfile.ZIP_DEFLATED,
        )
        for member in members
    }


def _pictures(names: Iterable[str]) -> tuple[str, ...]:
    """Names with a picture's suffix and no hidden part, folder by folder."""
    pictures = [name.split("/") for name in names if PurePosixPath(name).suffix.lower() in READ]
    return tuple("/".join(parts) for parts in sorted(pictures) if not any(part.startswith(".") for part in parts))
