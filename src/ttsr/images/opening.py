"""Open the file of a picture, and keep decoders from reading it for ever or from dying of a change of it."""

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from ttsr.errors import ImageError

# More than any picture takes: PNGs have chunks of 8 KiB and more.
_MOST_READS, _BYTES_A_READ = 2**18, 2**10
_LARGE_READ = 2**16


@contextmanager
def open_file(path: Path, name: str) -> Iterator[io.BufferedReader]:
    """Open a regular file for reading, or raise an ImageError that calls it `name`."""
    try:
        # Opening a device may have an effect, so it is checked before; what lies there may be replaced, so also after.
        _check_regular(path.stat(), name)
        with open(path, "rb", opener=_without_waiting) as file:
            _check_regular(os.fstat(file.fileno()), name)
            yield file
    except ImageError:
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise ImageError(f"{name}: there is no such file") from None
    except OSError as error:
        raise ImageError(f"{name}: cannot be read ({error.strerror})") from None
    except ValueError:
        raise ImageError(f"{name!r}: no file can have this name") from None


class LimitedFile(io.BufferedReader):
    """A file that can be read in so many parts only as its size calls for, and only through this object.

    Headers may consist of empty parts, comments or nothing for as long as the file is, and decoders written in Python
    pass over them byte by byte. The descriptor is withheld, since libtiff would map the file into memory: the process
    would die if another one cut the file at that moment.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(cast(io.RawIOBase, file))
        self._length = self.seek(0, os.SEEK_END)
        self._left = _MOST_READS + self._length // _BYTES_A_READ
        self.seek(0)

    def read(self, size: int | None = -1, /) -> bytes:
        """Like that of any file.

        Raises:
            ImageError: it has been read in too many parts.
        """
        self._left -= 1
        if self._left < 0:
            raise ImageError("damaged (it consists of too many small parts)")
        if size is not None and size > _LARGE_READ:  # it would take that much memory first, whatever there is to read
            size = min(size, max(0, self._length - self.tell()))
        return super().read(size)

    def fileno(self) -> int:
        """None: raises io.UnsupportedOperation."""
        raise io.UnsupportedOperation("fileno")


def _check_regular(status: os.stat_result, name: str) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise ImageError(f"{name}: is a folder, not a picture")
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(f"{name}: is not a regular file")


def _without_waiting(path: str, flags: int) -> int:
    """Open a file, or a pipe that has taken its place; and of what the kernel makes (/proc), read what is there."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
