"""The keypoints of photos on the disk, so that a folder is looked through once.

One file for each photo, in the folder of downloaded weights. A photo that has changed replaces its own entry; one that
cannot be read, or is not what this version writes, counts as none. All of it may be deleted at any time.
"""

import hashlib
import os
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ttsr.registration.keypoints import KEYPOINT, Keypoints
from ttsr.system.files import atomic_path
from ttsr.weights.cache import cache_folder

VERSION = 1
"""Of the entries; a change of how keypoints are found, or of what is kept of them, takes the next number."""

LARGEST_BYTES = 2 * 2**30
"""Of all entries; beyond it those that were not used for the longest time are deleted."""

_FOLDER = "keypoints"


class CacheEntry:
    """The keypoints of one photo as it is now, if they are known.

    Args:
        photo: the file, by whatever path.
        kind: how the keypoints are found, in any words.

    Raises:
        OSError: there is no such file.
        UserError: there is no folder for the cache.
    """

    def __init__(self, photo: Path, kind: str) -> None:
        status = photo.stat()  # before it is read: where it changes meanwhile, the entry holds for what it was
        self._stamp = f"{VERSION} {version('scikit-image')} {kind} {status.st_size} {status.st_mtime_ns}"
        name = hashlib.sha256(os.fsencode(os.path.realpath(photo))).hexdigest()
        self.file = cache_folder() / _FOLDER / name[:2] / f"{name[2:42]}.npz"

    def read(self) -> Keypoints | None:
        """The keypoints; None where they are not known."""
        try:
            with np.load(self.file, allow_pickle=False) as stored:
                if str(stored["stamp"]) != self._stamp:
                    return None
                (width, height), records = stored["size"].tolist(), stored["records"]
            sound = records.dtype == KEYPOINT and records.ndim == 1 and min(width, height) > 0
            os.utime(self.file)  # as used
        except Exception:  # whatever NumPy and zipfile raise on damaged bytes
            return None
        return Keypoints((width, height), records) if sound else None

    def write(self, keypoints: Keypoints) -> None:
        """Keep the keypoints, in place of those that the file had before.

        Raises:
            OSError: the cache cannot be written to.
        """
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(self.file) as temporary, temporary.open("wb") as file:
            np.savez(file, stamp=self._stamp, size=keypoints.size, records=keypoints.records)


def shrink_cache(largest_bytes: int = LARGEST_BYTES) -> None:
    """Delete entries until they take `largest_bytes` at most, the longest unused first."""
    found = []
    for entry in (cache_folder() / _FOLDER).glob("*/*.npz"):
        try:
            status = entry.stat()
        except OSError:  # deleted by another process
            continue
        found.append((status.st_mtime, status.st_size, entry))
    total = sum(size for _, size, _ in found)
    for _, size, entry in sorted(found):
        if total <= largest_bytes:
            return
        entry.unlink(missing_ok=True)
        total -= size
