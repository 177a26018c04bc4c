"""Which photos of many show the same thing: every photo is compared with every other, a millisecond each."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ttsr.data.mining.keypoint_store import opened
from ttsr.registration.estimate import View, find_view, match_descriptors, root_sift
from ttsr.system.workers import Workers

_ROWS = 8
"""Photos that one task compares with all later ones."""


@dataclass(frozen=True)
class Matched:
    """Two photos, by their numbers, and how the second shows the first."""

    first: int
    second: int
    view: View


def search(store: Path, num_photos: int, workers: Workers) -> Iterator[tuple[list[Matched], float]]:
    """All photo pairs that match, by number, a part at a time, with the share of the work that is done."""
    tasks = [range(first, min(first + _ROWS, num_photos)) for first in range(0, num_photos, _ROWS)]
    total = num_photos * (num_photos - 1) // 2
    done = 0
    for rows, matched in zip(tasks, workers.in_order(partial(compare, store), tasks), strict=True):
        done += sum(num_photos - 1 - row for row in rows)
        yield matched, done / total


def compare(store: Path, rows: range) -> list[Matched]:
    """The photos of these numbers against each other and all photos of larger numbers."""
    photos = opened(store)
    firsts = [(row, photos[row]) for row in rows]
    roots = [root_sift(features.key_points["descriptor"]) for _, features in firsts]
    found: list[Matched] = []
    for number in range(rows.start + 1, len(photos)):
        second = photos[number]
        second_root = root_sift(second.key_points["descriptor"])
        for (row, first), root in zip(firsts, roots, strict=True):
            if row < number:
                view = find_view(first, second, match_descriptors(root, second_root))
                if view is not None:
                    found.append(Matched(row, number, view))
    return sorted(found, key=lambda matched: (matched.first, matched.second))
