"""Which photos of many show the same thing: every photo is compared with every other, a millisecond each.

The keypoints of all photos are in one file, which workers map into memory instead of being sent them.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttsr.progress import Progress
from ttsr.registration.estimate import Registration, register
from ttsr.registration.keypoints import KEYPOINT, Keypoints
from ttsr.system.workers import Workers

_DATA, _INDEX = "keypoints.bin", "keypoints.json"
_ROWS = 8  # photos that one task compares with all later ones


@dataclass(frozen=True)
class PhotoMatch:
    """Two photos by name, and the registration of the second to the first."""

    first: str
    second: str
    registration: Registration


def write_keypoints(folder: Path, photos: Iterable[Keypoints]) -> None:
    """Write the keypoints of one photo after the other; only one photo's are held at a time."""
    index: list[tuple[int, int, int]] = []
    with (folder / _DATA).open("wb") as data:
        for keypoints in photos:
            data.write(keypoints.records.tobytes())
            index.append((*keypoints.size, len(keypoints)))
    (folder / _INDEX).write_text(json.dumps(index))


def match_photos(folder: Path, names: list[str], workers: Workers, progress: Progress) -> list[PhotoMatch]:
    """All pairs that match among the photos of these names, whose keypoints `write_keypoints` wrote to `folder`."""
    count = len(names)
    tasks = [range(first, min(first + _ROWS, count)) for first in range(0, count, _ROWS)]
    matches: list[PhotoMatch] = []
    compared = 0
    for rows, found in zip(tasks, workers.in_order(partial(_compare, folder), tasks), strict=True):
        matches += [PhotoMatch(names[first], names[second], registration) for first, second, registration in found]
        compared += sum(count - 1 - row for row in rows)
        progress.update(compared / (count * (count - 1) // 2))
    _open_keypoints.cache_clear()
    return matches


@lru_cache(maxsize=1)
def _open_keypoints(folder: Path) -> list[tuple[tuple[int, int], NDArray[Any]]]:
    """Size and keypoints of each photo, opened once in each process."""
    widths, heights, counts = zip(*json.loads((folder / _INDEX).read_text()), strict=True)
    # Nothing at all cannot be mapped.
    records = np.memmap(folder / _DATA, KEYPOINT, mode="r") if any(counts) else np.zeros(0, KEYPOINT)
    parts = np.split(np.asarray(records), np.cumsum(counts)[:-1])
    return list(zip(zip(widths, heights, strict=True), parts, strict=True))


def _compare(folder: Path, rows: range) -> list[tuple[int, int, Registration]]:
    """The photos of these numbers against each other and all photos of larger numbers."""
    photos = _open_keypoints(folder)
    firsts = [(row, Keypoints(*photos[row])) for row in rows]
    found: list[tuple[int, int, Registration]] = []
    for number in range(rows.start + 1, len(photos)):
        second = Keypoints(*photos[number])
        for row, first in firsts:
            registration = register(first, second) if row < number else None
            if registration is not None:
                found.append((row, number, registration))
    return sorted(found, key=lambda match: match[:2])
