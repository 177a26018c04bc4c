"""PyAV, which is optional."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ttsr.errors import UserError

if TYPE_CHECKING:
    from av.container import InputContainer

# The demuxers of FILM_SUFFIXES, in FFmpeg's names. Others are playlists: text that names other files, or addresses.
_DEMUXERS = "mov,matroska,avi,mpeg,mpegvideo,mpegts,asf,flv,ogg"


def pyav() -> ModuleType:
    """The package av.

    Raises:
        UserError: it is not installed.
    """
    try:
        import av
    except ImportError:
        raise UserError("films need the package av (PyAV)", 'pip install "ttsr[video]"') from None
    return av


def open_container(path: Path) -> "InputContainer":
    """Open a film with FFmpeg, and nothing that its name or what is in it may lead to.

    Raises:
        UserError: PyAV is not installed.
        av.error.FFmpegError: it cannot be read.
    """
    # A relative path such as http:/host/a.mp4 would be an address.
    return pyav().open(str(path.absolute()), options={"format_whitelist": _DEMUXERS, "protocol_whitelist": "file"})


@contextmanager
def named_failures(target: Path) -> Iterator[None]:
    """Within it, what FFmpeg cannot read or write is a `UserError`, which names the file, or else `target`."""
    try:
        yield
    except pyav().error.FFmpegError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"{error.filename or target}: cannot be read or written ({reason})") from None
