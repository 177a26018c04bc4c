"""Which photos of many show the same thing: every photo is compared with every other, a millisecond each.

The keypoints of all photos are in one file, which workers map into memory instead of being sent them.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from ttsr.registration.estimate import Registration, register
from ttsr.registration.keypoints import KEYPOINT, Keypoints
from ttsr.system.workers import Workers

_DATA, _INDEX = "keypoints.bin", "keypoints.json"

_ROWS = 8
"""Photos that one task compares with all later ones."""


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


@dataclass(frozen=True)
class PhotoMatch:
    """Two photos by their numbers, and the registration of the second to the first."""

    first: int
    second: int
    registration: Registration


def match_photos(store: Path, num_photos: int, workers: Workers) -> Iterator[tuple[list[PhotoMatch], float]]:
    """All photo pairs that match, by number, a part at a time, with the share of the work that is done."""
    tasks = [range(first, min(first + _ROWS, num_photos)) for first in range(0, num_photos, _ROWS)]
    total = num_photos * (num_photos - 1) // 2
    done = 0
    for rows, matches in zip(tasks, workers.in_order(partial(_compare, store), tasks), strict=True):
        done += sum(num_photos - 1 - row for row in rows)
        yield matches, done / total


def _compare(store: Path, rows: range) -> list[PhotoMatch]:
    """The photos of these numbers against each other and all photos of larger numbers."""
    photos = open_keypoints(store)
    firsts = [(row, photos[row]) for row in rows]
    matches: list[PhotoMatch] = []
    for number in range(rows.start + 1, len(photos)):
        second = photos[number]
        for row, first in firsts:
            registration = register(first, second) if row < number else None
            if registration is not None:
                matches.append(PhotoMatch(row, number, registration))
    return sorted(matches, key=lambda match: (match.first, match.second))
