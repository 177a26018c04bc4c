"""Where to cut: squares of one photo, and the squares of another photo that show most of the same.

Coordinates are (x, y) in pixels, the corner of the first pixel at (0, 0).
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ttsr.data.detail import MIN_DETAIL, detail
from ttsr.registration.estimate import View, jacobian, project

MAX_FINER = 1.25
"""A reference that is finer by more than this is shrunk to the input's scale: its crop would show too little of it."""

MIN_FINER = 0.5
"""A reference that is coarser than this lacks the detail that it is to lend."""

MIN_NEAR = 4
"""Inliers that must lie in and around the input crop, and that say where the reference shows it."""

DRAWS = 12
"""Places tried for each crop that is wanted."""

# The window around a crop that inliers are counted in: so many crops wide, and at least this share of the longest side,
# for features are found in a small copy and a crop of a large photo holds few.
_WINDOW, _WINDOW_SHARE = 1.5, 0.15
# Crops of one photo pair whose centres are nearer than this, in crops, show too much of the same.
_MIN_APART = 0.6
_GRID = 32


class Rejected(Exception):
    """No crop comes of a place; the text says why."""


@dataclass(frozen=True)
class Box:
    """A rectangle of whole pixels."""

    left: int
    top: int
    width: int
    height: int

    def holds(self, points: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(N,): which of the (N, 2) points lie in it."""
        x, y = points.T - [[self.left], [self.top]]
        return (x >= 0) & (y >= 0) & (x < self.width) & (y < self.height)

    @property
    def centre(self) -> NDArray[np.float64]:
        return np.array([self.left + self.width / 2, self.top + self.height / 2])


@dataclass(frozen=True)
class Crop:
    """An input crop and its reference crop.

    Attributes:
        box, ref_box: in the input photo and in the reference photo; a larger ref_box is shrunk to the box's size.
        overlap: share of the input crop that the reference crop shows.
        scale: how many pixels of the reference photo show one pixel of the input photo, along a side.
        rotation: degrees by which the reference is turned, clockwise positive.
    """

    box: Box
    ref_box: Box
    overlap: float
    scale: float
    rotation: float


def draw_crops(
    photo: NDArray[np.uint8],
    ref_photo: NDArray[np.uint8],
    view: View,
    *,
    size: int,
    min_overlap: float,
    count: int,
    rng: np.random.Generator,
) -> tuple[list[Crop], Counter[str]]:
    """Up to `count` crops of `size` pixels, and how many places were rejected, by reason.

    photo and ref_photo: (H, W, 3) uint8, both sides at least `size`; view: how `ref_photo` shows `photo`.
    """
    crops: list[Crop] = []
    rejected: Counter[str] = Counter()
    for box in _places(photo, view, size, count * DRAWS, rng):
        if len(crops) == count:
            break
        if any(np.abs(box.centre - crop.box.centre).max() < _MIN_APART * size for crop in crops):
            continue
        try:
            crop = aim(box, photo.shape[:2], ref_photo.shape[:2], view)
            _check(crop, photo, ref_photo, min_overlap)
        except Rejected as reason:
            rejected[str(reason)] += 1
        else:
            crops.append(crop)
    return crops, rejected


def aim(box: Box, shape: tuple[int, ...], ref_shape: tuple[int, ...], view: View) -> Crop:
    """The reference crop that shows what `box` shows. Shapes are (H, W).

    Raises:
        Rejected: there is none.
    """
    window = max(_WINDOW * box.width, _WINDOW_SHARE * max(shape[:2])) / 2
    near = np.abs(view.points - box.centre).max(axis=1) <= window
    if np.count_nonzero(near) < MIN_NEAR:
        raise Rejected("too few matching points around it")
    # The homography holds for the photo as a whole; what lies off its plane is where the inliers around say.
    shift = np.median(view.seen[near] - project(view.homography, view.points[near]), axis=0)
    to_ref = jacobian(view.homography, box.centre)
    scale = math.sqrt(abs(np.linalg.det(to_ref)))
    if scale < MIN_FINER:
        raise Rejected("the reference is too coarse there")
    side = box.width if scale <= MAX_FINER else round(box.width * scale)
    ref_height, ref_width = ref_shape[:2]
    if side > min(ref_height, ref_width):
        raise Rejected("the reference ends there")
    x, y = project(view.homography, box.centre[None])[0] + shift
    if not (0 <= x < ref_width and 0 <= y < ref_height):
        raise Rejected("the reference ends there")
    left = min(max(round(x - side / 2), 0), ref_width - side)
    top = min(max(round(y - side / 2), 0), ref_height - side)
    ref_box = Box(left, top, side, side)
    steps = (np.arange(_GRID) + 0.5) / _GRID
    grid = np.stack(np.meshgrid(steps * box.width + box.left, steps * box.height + box.top), axis=-1).reshape(-1, 2)
    overlap = float(ref_box.holds(project(view.homography, grid) + shift).mean())
    # Of the similarity that is nearest to the Jacobian; y points down, so that the angle runs clockwise.
    rotation = math.degrees(math.atan2(to_ref[1, 0] - to_ref[0, 1], to_ref[0, 0] + to_ref[1, 1]))
    return Crop(box, ref_box, overlap, scale, rotation)


def cut(photo: NDArray[np.uint8], box: Box, size: int) -> NDArray[np.uint8]:
    """(size, size, 3) uint8: the box of the photo, shrunk by Pillow's bicubic filter where it is larger."""
    piece = photo[box.top : box.top + box.height, box.left : box.left + box.width]
    if box.width == size:
        return np.ascontiguousarray(piece)
    image = Image.fromarray(np.ascontiguousarray(piece))
    return np.array(image.resize((size, size), Image.Resampling.BICUBIC))


def _check(crop: Crop, photo: NDArray[np.uint8], ref_photo: NDArray[np.uint8], min_overlap: float) -> None:
    if crop.overlap < min_overlap:
        raise Rejected("too little overlap")
    size = crop.box.width
    if min(detail(cut(photo, crop.box, size)), detail(cut(ref_photo, crop.ref_box, size))) < MIN_DETAIL:
        raise Rejected("too little detail")


def _places(photo: NDArray[np.uint8], view: View, size: int, count: int, rng: np.random.Generator) -> Iterator[Box]:
    """Boxes in the photo, each not far from an inlier."""
    height, width = photo.shape[:2]
    for _ in range(count):
        x, y = view.points[rng.integers(len(view.points))] + rng.uniform(-size / 3, size / 3, 2)
        left = min(max(round(x - size / 2), 0), width - size)
        top = min(max(round(y - size / 2), 0), height - size)
        yield Box(left, top, size, size)
