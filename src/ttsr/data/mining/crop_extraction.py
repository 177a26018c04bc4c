"""The crops of one matched photo pair, as PNG files in memory, unless one photo is a copy of the other.

A copy, smaller or recompressed or cropped, is no reference for the original.
"""

import io
import math
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ttsr.data.crops import Pixels8
from ttsr.data.mining.crop_selection import crop_box, select_crops
from ttsr.data.mining.mining_options import MiningOptions
from ttsr.data.mining.mining_results import MinedPair
from ttsr.data.mining.photo_folder import PhotoReader
from ttsr.data.mining.photo_matching import PhotoMatch
from ttsr.errors import ImageError
from ttsr.geometry import apply, jacobian, scale_and_rotation
from ttsr.registration.estimate import Registration

# Two photos whose `difference` is smaller are duplicates. Of 32 copies (scaled, cropped, JPEG of quality 60) none has
# more than 0.36; of 233 pairs of different photos of one thing the nearest have 0.50 and 0.78.
MAX_DIFFERENCE = 0.42
COPY_SIDE = 256  # longest side in pixels of the first photo's copy that is compared
_BLUR = 2.0  # sigma in pixels of the copy: what is left of a copy's other pixel grid and compression vanishes


@dataclass
class Extraction:
    """The pairs of two photos, each with both crops as PNG, and how many positions were rejected, by reason."""

    pairs: list[tuple[MinedPair, bytes, bytes]] = field(default_factory=list)
    duplicate: bool = False
    rejected: Counter[str] = field(default_factory=Counter)


def extract_crops(reader: PhotoReader, options: MiningOptions, task: tuple[int, PhotoMatch]) -> Extraction:
    """The crops of a photo pair, half of them with their input from either photo; the task's number seeds them."""
    number, match = task
    try:
        first, second = read_pixels(reader, match.first), read_pixels(reader, match.second)
    except ImageError:
        return Extraction(rejected=Counter(["a photo could not be read again"]))
    if difference(first, second, match.registration) < MAX_DIFFERENCE:
        return Extraction(duplicate=True)
    extraction = Extraction()
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


def difference(first: Pixels8, second: Pixels8, registration: Registration) -> float:
    """Mean difference of two photos where both show the same, over what a step of a pixel changes: 0 for one photo.

    Gray, shrunk and blurred copies of the (H, W, 3) uint8 photos are compared, laid on each other by the registration
    of `second` to `first`. Infinite where they share nearly nothing.
    """
    from scipy.ndimage import gaussian_filter, map_coordinates

    height, width = first.shape[:2]
    shrink = min(1.0, COPY_SIDE / max(height, width))
    middle = np.median(registration.points, axis=0)
    scale, _ = scale_and_rotation(jacobian(registration.homography, middle))
    here, here_scale = _copy(first, shrink)
    there, there_scale = _copy(second, min(1.0, shrink / scale))
    rows, columns = np.indices(here.shape)
    centres = (np.stack([columns, rows], axis=-1).reshape(-1, 2) + 0.5) / here_scale
    x, y = (apply(registration.homography, centres) * there_scale - 0.5).T
    inside = (x >= _BLUR) & (y >= _BLUR) & (x <= there.shape[1] - 1 - _BLUR) & (y <= there.shape[0] - 1 - _BLUR)
    if inside.mean() < 0.05 or min(here.shape) < 2:
        return math.inf
    here = gaussian_filter(here, _BLUR)
    seen = map_coordinates(gaussian_filter(there, _BLUR), [y[inside], x[inside]], order=1)
    down, across = np.gradient(here)
    step = np.hypot(down, across).ravel()[inside].mean()
    return float(np.abs(seen - here.ravel()[inside]).mean() / max(step, 1e-3))


def _copy(photo: Pixels8, shrink: float) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Gray and shrunk, and by how much in x and y."""
    height, width = photo.shape[:2]
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    gray = Image.fromarray(photo).convert("L").resize(size, Image.Resampling.BOX)
    return np.asarray(gray, np.float32), np.array([size[0] / width, size[1] / height])
