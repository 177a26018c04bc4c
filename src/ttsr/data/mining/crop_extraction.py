"""The crops of one matched photo pair, as PNG files in memory."""

import io
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from PIL import Image

from ttsr.data.crops import Pixels8
from ttsr.data.mining.crop_selection import crop_box, select_crops
from ttsr.data.mining.duplicates import MAX_DIFFERENCE, difference
from ttsr.data.mining.mining_options import MiningOptions
from ttsr.data.mining.mining_results import MinedPair
from ttsr.data.mining.photo_folder import PhotoReader
from ttsr.data.mining.photo_matching import PhotoMatch
from ttsr.errors import ImageError


@dataclass
class Extraction:
    """The pairs of two photos, each with its input and reference as PNG: none if both photos are one.

    Positions that gave no crop are counted by reason.
    """

    pairs: list[tuple[MinedPair, bytes, bytes]] = field(default_factory=list)
    duplicate: bool = False
    rejected: Counter[str] = field(default_factory=Counter)


def extract_crops(reader: PhotoReader, options: MiningOptions, task: tuple[int, PhotoMatch]) -> Extraction:
    """The crops of a photo pair, half of them with their input from either photo.

    The same for the same task, whose number is part of the seed.
    """
    number, match = task
    extraction = Extraction()
    try:
        first, second = read_pixels(reader, match.first), read_pixels(reader, match.second)
    except ImageError:
        extraction.rejected["a photo could not be read again"] += 1
        return extraction
    if difference(first, second, match.registration) < MAX_DIFFERENCE:
        extraction.duplicate = True
        return extraction
    there = (match.first, match.second, first, second, match.registration)
    back = (match.second, match.first, second, first, match.registration.inverse())
    counts = (options.per_pair + 1) // 2, options.per_pair // 2
    size, rng = options.size, np.random.default_rng([options.seed, number])
    for (name, ref_name, photo, ref_photo, registration), count in zip((there, back), counts, strict=True):
        crops, rejected = select_crops(photo, ref_photo, registration, options, count, rng)
        extraction.rejected += rejected
        for crop in crops:
            pair = MinedPair(name, ref_name, crop, len(registration.points))
            pngs = _png(crop_box(photo, crop.box, size)), _png(crop_box(ref_photo, crop.ref_box, size))
            extraction.pairs.append((pair, *pngs))
    return extraction


@lru_cache(maxsize=2)
def read_pixels(reader: PhotoReader, name: str) -> Pixels8:
    """A photo, decoded once for pairs of it that follow each other."""
    return reader.pixels(name)


def _png(pixels: Pixels8) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
