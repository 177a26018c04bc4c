"""The folder that a data set is made in: it appears when all is written, and is gone otherwise."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ttsr.errors import DataError
from ttsr.system.files import umask

_PREFIX = ".ttsr-pairs-"


@contextmanager
def made_whole(out: Path, photos: Path) -> Iterator[Path]:
    """A hidden folder whose content is that of `out` once the block has ended well, and is gone otherwise.

    It lies beside a new `out`, and takes its name. An empty folder stays what it is, a mount point or the folder that
    the user stands in; the hidden one then lies in it, and its content moves up.

    Raises:
        DataError: `out` is a file or holds something, lies in the folder `photos`, or there is no folder to make it in,
            or no room.
    """
    try:
        whole = out.resolve()
        is_there = whole.is_dir() and not any(whole.iterdir())
        if not is_there:
            if os.path.lexists(out):
                raise DataError(f"{out}: exists already; name a new folder, or an empty one")
            if not whole.parent.is_dir():
                raise DataError(f"{out}: there is no folder {out.parent} to make it in")
        if whole.is_relative_to(photos.resolve()):
            raise DataError(f"{out}: lies in {photos}, and its crops would count as photos; name a folder elsewhere")
        made = Path(tempfile.mkdtemp(dir=whole if is_there else whole.parent, prefix=_PREFIX))
        try:
            yield made
            if is_there:
                _move_up(made)
            else:
                made.chmod(0o777 & ~umask())
                made.rename(whole)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror or error})") from None


def _move_up(made: Path) -> None:
    """All of a folder into the one that holds it, its folders first; or nothing of it."""
    moved: list[Path] = []
    try:
        for entry in sorted(made.iterdir(), key=lambda entry: (entry.is_file(), entry.name)):
            target = made.parent / entry.name
            if os.path.lexists(target):  # a file would be replaced without a word
                raise DataError(f"{target}: came to be while the pairs were made; name another folder")
            entry.rename(target)
            moved.append(target)
    except BaseException:
        for target in moved:
            target.rename(made / target.name)
        raise
