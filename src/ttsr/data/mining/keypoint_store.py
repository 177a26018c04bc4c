"""The keypoints of all photos in one file, which workers map into memory instead of being sent them."""

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np

from ttsr.registration.keypoints import KEYPOINT, Keypoints

_DATA, _INDEX = "keypoints.bin", "keypoints.json"


def write_keypoints(folder: Path, photos: Iterable[Keypoints]) -> None:
    """Write the keypoints of one photo after the other; only one photo's are held at a time.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    sizes: list[tuple[int, int]] = []
    starts = [0]
    with (folder / _DATA).open("wb") as data:
        for keypoints in photos:
            data.write(keypoints.records.tobytes())
            sizes.append(keypoints.size)
            starts.append(starts[-1] + len(keypoints))
    (folder / _INDEX).write_text(json.dumps({"sizes": sizes, "starts": starts}))


class KeypointStore:
    """What `write_keypoints` wrote, by the photos' numbers."""

    def __init__(self, folder: Path) -> None:
        index = json.loads((folder / _INDEX).read_text())
        self._sizes, self._starts = index["sizes"], index["starts"]
        empty = self._starts[-1] == 0  # which cannot be mapped
        self._data = np.zeros(0, KEYPOINT) if empty else np.memmap(folder / _DATA, KEYPOINT, mode="r")

    def __len__(self) -> int:
        return len(self._sizes)

    def __getitem__(self, number: int) -> Keypoints:
        width, height = self._sizes[number]
        return Keypoints((width, height), np.asarray(self._data[self._starts[number] : self._starts[number + 1]]))


@lru_cache(maxsize=1)
def open_keypoints(folder: Path) -> KeypointStore:
    """The store of `folder`, opened once in each process."""
    return KeypointStore(folder)
