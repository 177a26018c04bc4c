"""The folder that a data set is written to: it appears when all is written, or not at all."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ttsr.errors import DataError
from ttsr.system.files import temporary_folder


@contextmanager
def atomic_folder(out: Path, photos: Path) -> Iterator[Path]:
    """A hidden folder whose content becomes that of `out` if the block ends without an error; removed otherwise.

    It lies beside a new `out`, and takes its name. An empty `out` is kept, for it may be a mount point or the current
    folder; the hidden one then lies in it, and its content moves up.

    Raises:
        DataError: `out` is a file or not empty, lies in the folder `photos`, has no parent folder, or cannot be
            written.
    """
    try:
        final = out.resolve()
        exists = final.is_dir() and not any(final.iterdir())
        if not exists:
            if os.path.lexists(out):
                raise DataError(f"{out}: exists already", "name a new folder, or an empty one")
            if not final.parent.is_dir():
                raise DataError(f"{out}: there is no folder {out.parent}", "create it first")
        if final.is_relative_to(photos.resolve()):
            raise DataError(f"{out}: lies in {photos}, and its crops would count as photos", "name a folder elsewhere")
        with temporary_folder(final if exists else final.parent) as temporary:
            yield temporary
            if exists:
                _move_up(temporary)
            else:
                temporary.rename(final)
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror or error})") from None


def _move_up(temporary: Path) -> None:
    """Move all of a folder into the one that holds it, its folders first; or nothing of it."""
    with ExitStack() as undoing:
        for entry in sorted(temporary.iterdir(), key=lambda entry: (entry.is_file(), entry.name)):
            target = temporary.parent / entry.name
            if os.path.lexists(target):  # a file would be replaced silently
                raise DataError(f"{target}: appeared while the pairs were written", "name another folder")
            entry.rename(target)
            undoing.callback(target.rename, entry)
        undoing.pop_all()
