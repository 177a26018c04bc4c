"""A lock on a folder, so that no two processes write to it. The system releases it when its process ends, however."""

import errno
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ttsr.errors import UserError
from ttsr.system.files import UNFINISHED

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK = ".lock"
_HELD: set[str] = set()  # by this process, which the system lets lock a file again


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, across hosts where the file system has locks. Makes the folder, and removes it if empty.

    Raises:
        UserError: another process holds it.
        OSError: the folder cannot be made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder.resolve() / LOCK
    if str(path) in _HELD:
        raise _busy(folder, "")
    file = _locked(path, folder)
    _HELD.add(str(path))
    UNFINISHED.add(path)
    try:
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        file.flush()
        yield
    finally:
        _HELD.discard(str(path))
        with suppress(OSError):
            path.unlink()  # while it is held: whoever has opened it meanwhile finds that it is gone
        UNFINISHED.discard(path)
        file.close()
        with suppress(OSError):
            folder.rmdir()


def _locked(path: Path, folder: Path) -> BinaryIO:
    """The file, open and locked."""
    while True:
        file = path.open("a+b")
        try:
            _lock(file)
            # The one before may have removed the file between our opening and our locking it.
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                file.truncate(0)
                return file
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                file.seek(0)
                with file:
                    raise _busy(folder, file.read(200).decode(errors="replace").strip()) from None
            file.close()
            raise
        except BaseException:
            file.close()
            raise
        file.close()


def _lock(file: BinaryIO) -> None:
    if sys.platform == "win32":
        file.seek(1 << 20)  # behind the text, which others may then read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        return
    try:
        # Unlike those of flock, these locks are not inherited: workers that outlive a killed process do not keep them.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK):
            raise  # some network file systems have no locks; a run there does without


def _busy(folder: Path, holder: str) -> UserError:
    by = f" ({holder})" if holder else ""
    return UserError(f"{folder}: another run is writing here{by}", "wait for it, stop it, or use another folder")
