"""The crops of one matched photo pair, as PNG files in memory."""

import io
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ttsr.data.mining.crops import Crop, cut, draw_crops
from ttsr.data.mining.duplicates import MAX_DIFFERENCE, difference
from ttsr.data.mining.pairs_options import PairsOptions
from ttsr.data.mining.photo_folder import Reader
from ttsr.errors import ImageError
from ttsr.registration.estimate import View

UNREADABLE = "a photo could not be read again"


@dataclass(frozen=True)
class Task:
    """Two photos by name, and how the second shows the first. The number makes the draws of each task its own."""

    number: int
    first: str
    second: str
    view: View


@dataclass(frozen=True)
class CutPair:
    """One pair: the names of its photos, where it was cut, and both crops as PNG."""

    input: str
    reference: str
    crop: Crop
    inliers: int
    input_png: bytes
    reference_png: bytes


@dataclass
class Cuts:
    """What a task gave.

    pairs: the crops; duplicate: none, since both photos are one; rejected: places that gave none, by reason.
    """

    pairs: list[CutPair] = field(default_factory=list)
    duplicate: bool = False
    rejected: Counter[str] = field(default_factory=Counter)


def cut_pairs(reader: Reader, options: PairsOptions, task: Task) -> Cuts:
    """The crops of a photo pair, half of them with their input from either photo. The same for the same task."""
    cuts = Cuts()
    try:
        first, second = read_pixels(reader, task.first), read_pixels(reader, task.second)
    except ImageError:
        cuts.rejected[UNREADABLE] += 1
        return cuts
    if difference(first, second, task.view) < MAX_DIFFERENCE:
        cuts.duplicate = True
        return cuts
    there = (task.first, task.second, first, second, task.view)
    back = (task.second, task.first, second, first, task.view.inverse())
    counts = (options.per_pair + 1) // 2, options.per_pair // 2
    rng = np.random.default_rng([options.seed, task.number])
    for (name, ref_name, photo, ref_photo, view), count in zip((there, back), counts, strict=True):
        crops, rejected = draw_crops(
            photo, ref_photo, view, size=options.size, min_overlap=options.min_overlap, count=count, rng=rng
        )
        cuts.rejected += rejected
        for crop in crops:
            pngs = _png(cut(photo, crop.box, options.size)), _png(cut(ref_photo, crop.ref_box, options.size))
            cuts.pairs.append(CutPair(name, ref_name, crop, len(view.points), *pngs))
    return cuts


@lru_cache(maxsize=2)
def read_pixels(reader: Reader, name: str) -> NDArray[np.uint8]:
    """Decoded once for a photo's pairs that follow each other."""
    return reader.pixels(name)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
