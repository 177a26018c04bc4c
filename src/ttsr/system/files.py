"""Output files: written completely or not at all, and never over an input."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ttsr.errors import UserError

TEMPORARY = ".ttsr-"
"""Prefix of unfinished files. Only a killed process leaves one behind."""


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` that is renamed to it when the block ends without an error.

    If the block raises, or the process is killed, `path` stays as it was. The temporary file has the suffix of `path`,
    by which codecs choose the format.

    Raises:
        OSError: the folder does not exist or cannot be written to, or the disk is full.
    """
    path = Path(path)
    # Without the stem: a name of the greatest length that the file system allows would become too long.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY, suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def refuse_overwriting(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Check that no output is an input, through links too. Files that do not exist are compared by name.

    Raises:
        UserError: an output is an input; the message names the first.
    """
    taken = {key for path in inputs for key in identities(path)}
    for path in outputs:
        if not taken.isdisjoint(identities(path)):
            raise UserError(f"{path}: is the output and an input", "name another output")


def identities(path: Path) -> Iterator[str | tuple[int, int]]:
    """What all paths of a file share: the resolved name, and where it exists device and inode, for hard links."""
    yield os.path.realpath(path)
    try:
        status = path.stat()
    except OSError:
        return
    yield status.st_dev, status.st_ino


def umask() -> int:
    """The permissions that the user denies to new files."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
