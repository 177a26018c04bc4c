"""A folder for the files of a service, which only its user can read and which goes with it."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ttsr.errors import UserError
from ttsr.system.folder_lock import lock_folder

_PREFIX = "ttsr-serve-"


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder in the system's place for temporary files; those that killed services have left there are removed.

    Raises:
        UserError: it cannot be made.
    """
    remove_left_ones(Path(tempfile.gettempdir()))
    try:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    except OSError as error:
        raise UserError(f"no temporary folder can be made ({error.strerror})", "free some space") from None
    try:
        with lock_folder(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_left_ones(parent: Path) -> None:
    """Remove folders of services that do not run any more: the lock of those that do is held."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError, UserError):
            if not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid():
                with lock_folder(folder):
                    shutil.rmtree(folder, ignore_errors=True)
