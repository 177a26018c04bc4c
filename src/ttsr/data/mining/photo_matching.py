"""Which photos of many show the same thing: every photo is compared with every other, a millisecond each."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ttsr.data.mining.keypoint_store import open_keypoints
from ttsr.registration.estimate import Registration, register
from ttsr.system.workers import Workers

_ROWS = 8
"""Photos that one task compares with all later ones."""


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
