"""Where to crop: squares of one photo, and the squares of another photo that show most of the same.

Coordinates are those of `ttsr.geometry`.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ttsr.data.crops import MIN_DETAIL, Pixels8, detail
from ttsr.data.mining.mining_options import MiningOptions
from ttsr.geometry import apply, jacobian, scale_and_rotation
from ttsr.images.resize import resize_bicubic
from ttsr.registration.estimate import Registration

# A reference of larger scale than this is shrunk to the input's scale: its crop would show too little otherwise.
MAX_SCALE = 1.25
MIN_SCALE = 0.5  # a reference of smaller scale than this lacks the detail that it should provide
MIN_NEARBY = 4  # inliers that must lie in and around the input crop; they tell where the reference shows it
DRAWS = 12  # positions tried for each crop that is wanted
# The window around a crop that inliers are counted in: so many crops wide, and at least this share of the longest side,
# for keypoints are found in a small copy and a crop of a large photo holds few.
_WINDOW, _WINDOW_SHARE = 1.5, 0.15
# Crops of one photo pair whose centres are nearer than this, in crops, show too much of the same.
_MIN_APART = 0.6
_GRID = 32

Shape = tuple[int, ...]


class CropRejected(Exception):
    """A position gives no crop; the text says why."""


@dataclass(frozen=True)
class Box:
    """A rectangle of whole pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def centre(self) -> NDArray[np.float64]:
        """(x, y)."""
        return np.array([self.left + self.width / 2, self.top + self.height / 2])


@dataclass(frozen=True)
class CropPair:
    """An input crop and its reference crop.

    Attributes:
        box: of the input crop in the input photo.
        ref_box: of the reference crop in the reference photo; if larger than `box`, the crop is shrunk to that size.
        overlap: share of the input crop that the reference crop shows.
        scale: pixels of the reference photo that show one pixel of the input photo, along a side.
        rotation: of the reference in degrees, clockwise.
    """

    box: Box
    ref_box: Box
    overlap: float
    scale: float
    rotation: float


def select_crops(
    photo: Pixels8, ref_photo: Pixels8, registration: Registration, options: MiningOptions, count: int, rng: Generator
) -> tuple[list[CropPair], Counter[str]]:
    """Up to `count` crops at random positions near inliers, and how many positions were rejected, by reason.

    Both sides of both photos are at least `options.size`; the registration is that of `ref_photo` to `photo`.
    """
    size = options.size
    crops: list[CropPair] = []
    rejected: Counter[str] = Counter()
    for box in _candidates(photo, registration, size, count * DRAWS, rng):
        if len(crops) == count:
            break
        if any(np.abs(box.centre - crop.box.centre).max() < _MIN_APART * size for crop in crops):
            continue
        try:
            crop = locate_reference(box, photo.shape[:2], ref_photo.shape[:2], registration)
            if crop.overlap < options.min_overlap:
                raise CropRejected("too little overlap")
            both = crop_box(photo, crop.box, size), crop_box(ref_photo, crop.ref_box, size)
            if min(map(detail, both)) < MIN_DETAIL:
                raise CropRejected("too little detail")
        except CropRejected as reason:
            rejected[str(reason)] += 1
        else:
            crops.append(crop)
    return crops, rejected


def locate_reference(box: Box, shape: Shape, ref_shape: Shape, registration: Registration) -> CropPair:
    """The reference crop that shows what `box` shows, or a CropRejected. Shapes are (H, W) of both photos."""
    window = max(_WINDOW * box.width, _WINDOW_SHARE * max(shape[:2])) / 2
    homography, points = registration.homography, registration.points
    near = np.abs(points - box.centre).max(axis=1) <= window
    if np.count_nonzero(near) < MIN_NEARBY:
        raise CropRejected("too few matching points around it")
    # The homography holds for the photo as a whole; what lies off its plane is shifted as the inliers around are.
    shift = np.median(registration.matched_points[near] - apply(homography, points[near]), axis=0)
    scale, rotation = scale_and_rotation(jacobian(homography, box.centre))
    if scale < MIN_SCALE:
        raise CropRejected("the reference is too coarse there")
    side = box.width if scale <= MAX_SCALE else round(box.width * scale)
    ref_height, ref_width = ref_shape[:2]
    x, y = apply(homography, box.centre[None])[0] + shift
    if side > min(ref_height, ref_width) or not (0 <= x < ref_width and 0 <= y < ref_height):
        raise CropRejected("the reference ends there")
    left = min(max(round(x - side / 2), 0), ref_width - side)
    top = min(max(round(y - side / 2), 0), ref_height - side)
    steps = (np.arange(_GRID) + 0.5) / _GRID
    grid = np.stack(np.meshgrid(steps * box.width + box.left, steps * box.height + box.top), axis=-1).reshape(-1, 2)
    seen = apply(homography, grid) + shift - (left, top)
    overlap = float(((seen >= 0) & (seen < side)).all(axis=1).mean())
    return CropPair(box, Box(left, top, side, side), overlap, scale, rotation)


def crop_box(photo: Pixels8, box: Box, size: int) -> Pixels8:
    """(size, size, 3) uint8: a box of the photo, shrunk by Pillow's bicubic filter if it is larger."""
    pixels = photo[box.top : box.top + box.height, box.left : box.left + box.width]
    return np.ascontiguousarray(pixels) if box.width == size else resize_bicubic(pixels, size, size)


def _candidates(photo: Pixels8, registration: Registration, size: int, count: int, rng: Generator) -> Iterator[Box]:
    """Boxes in the photo, each not far from an inlier."""
    height, width = photo.shape[:2]
    points = registration.points
    for _ in range(count):
        x, y = points[rng.integers(len(points))] + rng.uniform(-size / 3, size / 3, 2)
        left = min(max(round(x - size / 2), 0), width - size)
        top = min(max(round(y - size / 2), 0), height - size)
        yield Box(left, top, size, size)
