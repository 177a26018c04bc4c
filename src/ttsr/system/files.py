"""Files that are either whole or not there, and never written over what was read."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ttsr.errors import UserError

TEMPORARY = ".ttsr-"
"""What the names of unfinished files begin with. Only a kill leaves one behind."""


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name once the block has ended well.

    If the block raises, or the process is killed, `path` is as it was before. The temporary file keeps the suffix of
    `path`, so that codecs that go by the name write the right format.

    Raises:
        OSError: the folder does not exist or cannot be written to, or the disk is full.
    """
    path = Path(path)
    # Without the stem, for a name as long as the file system allows would grow too long.
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
    """See that no output is an input, by whatever name or link. Files that do not exist are compared by name.

    Raises:
        UserError: one is; the line names the first such output.
    """
    taken = {key for path in inputs for key in _identities(path)}
    for path in outputs:
        if not taken.isdisjoint(_identities(path)):
            raise UserError(f"{path}: is the output and an input; name another output")


def _identities(path: Path) -> Iterator[str | tuple[int, int]]:
    """What two paths of one file have in common: the resolved name, or for hard links device and inode."""
    yield os.path.realpath(path)
    try:
        status = path.stat()
    except OSError:
        return
    yield status.st_dev, status.st_ino


def umask() -> int:
    """The rights that the user denies to new files."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
