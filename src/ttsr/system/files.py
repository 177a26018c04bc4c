"""Output files: written completely or not at all, and never over an input."""

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ttsr.errors import UserError

TEMPORARY = ".ttsr-"
"""Prefix of unfinished files and folders. Only a killed process leaves one behind."""

UNFINISHED: set[Path] = set()
"""What this process has made and will remove, or rename, when it is done; known before it is there."""


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` that is renamed to it when the block ends without an error.

    If the block raises, or the process is killed, `path` stays as it was. The temporary file has the suffix of `path`,
    by which codecs choose the format, and the permissions of the file that it replaces. A link at `path` is replaced.

    Raises:
        OSError: the folder does not exist or cannot be written to, the disk is full, or `path` is a folder, a device or
            the like, or a file that is write-protected.
    """
    path = Path(path)
    mode = _mode_of_replaced(path)
    # Without the stem: a name of the greatest length that the file system allows would become too long.
    with removed_at_end(path.parent / f"{TEMPORARY}{secrets.token_hex(6)}{path.suffix}") as temporary:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode))
        if mode is not None:
            temporary.chmod(mode)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """A hidden folder in `parent`, which is removed when the block ends, unless it has been renamed.

    Raises:
        OSError: it cannot be made.
    """
    with removed_at_end(parent / f"{TEMPORARY}{secrets.token_hex(6)}") as folder:
        folder.mkdir()
        yield folder


@contextmanager
def removed_at_end(path: Path) -> Iterator[Path]:
    """The path, of a file or folder that is removed, if it is there, when the block ends or the process is stopped."""
    UNFINISHED.add(path)
    try:
        yield path
    finally:
        _remove(path)
        UNFINISHED.discard(path)


def remove_unfinished() -> None:
    """Remove what is unfinished still: a signal may come at any moment, and so where a block begins or ends."""
    for path in list(UNFINISHED):
        _remove(path)
        UNFINISHED.discard(path)


def refuse_overwriting(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Check that no output is an input, through links too. Files that do not exist are compared by name.

    Raises:
        UserError: an output is an input; the message names the first.
    """
    taken = {key for path in inputs for key in identities(path)}
    for path in outputs:
        if not taken.isdisjoint(identities(path)):
            raise UserError(f"{path}: is the output and an input", "name another output")


def refuse_leaving(path: Path, folder: Path) -> None:
    """Check that a file or folder whose name is ours lies in the folder that was named, and not where a link leads.

    Raises:
        UserError: a link on the way from `folder` to `path`, or at `path`, leads elsewhere.
    """
    where = os.path.realpath(path)
    if not Path(where).is_relative_to(os.path.realpath(folder)):
        raise UserError(f"{path}: a link leads to {where}, which is not in {folder}", "remove the link, or name that")


def identities(path: Path) -> Iterator[str | tuple[int, int]]:
    """What all paths of a file share: the resolved name, and where it exists device and inode, for hard links."""
    yield os.path.realpath(path)
    try:
        status = path.stat()
    except OSError:
        return
    yield status.st_dev, status.st_ino


def _mode_of_replaced(path: Path) -> int | None:
    """The permissions of the file at `path`; None where there is none, or a link, which a new file replaces."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(status.st_mode):
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):  # to replace one of these would take it from other programs
        raise OSError(errno.EINVAL, "it is a device or the like", str(path))
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "it is write-protected", str(path))
    return status.st_mode & 0o777


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
        return
    shutil.rmtree(path, ignore_errors=True)
