"""The features of all photos in one file, which workers map into memory instead of being sent them."""

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np

from ttsr.registration.keypoints import KEY_POINT, Features

_DATA, _INDEX = "features.bin", "features.json"


def write_features(folder: Path, features: Iterable[Features]) -> None:
    """Write the features of one photo after the other; only one photo's are held at a time.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    sizes: list[tuple[int, int]] = []
    starts = [0]
    with (folder / _DATA).open("wb") as data:
        for one in features:
            data.write(one.key_points.tobytes())
            sizes.append(one.size)
            starts.append(starts[-1] + len(one.key_points))
    (folder / _INDEX).write_text(json.dumps({"sizes": sizes, "starts": starts}))


class FeatureStore:
    """What `write_features` wrote, by the photos' numbers."""

    def __init__(self, folder: Path) -> None:
        index = json.loads((folder / _INDEX).read_text())
        self._sizes, self._starts = index["sizes"], index["starts"]
        empty = self._starts[-1] == 0  # which cannot be mapped
        self._data = np.zeros(0, KEY_POINT) if empty else np.memmap(folder / _DATA, KEY_POINT, mode="r")

    def __len__(self) -> int:
        return len(self._sizes)

    def __getitem__(self, number: int) -> Features:
        width, height = self._sizes[number]
        return Features((width, height), np.asarray(self._data[self._starts[number] : self._starts[number + 1]]))


@lru_cache(maxsize=1)
def opened(folder: Path) -> FeatureStore:
    """The store of `folder`, opened once in each process."""
    return FeatureStore(folder)
