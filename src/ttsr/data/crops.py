"""Crops and flips of photos as pixel arrays; free of torch, which the processes that mine pairs do without."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttsr.images.picture import Picture

Pixels8 = NDArray[np.uint8]  # (H, W, 3) RGB, the right way up
MIN_DETAIL = 4.0  # a crop of less `detail` teaches little: a piece of sky, say


def rgb8(picture: Picture) -> Pixels8:
    """The pixels of a picture with 8 bits a channel, as data sets hold them; 16 are rounded."""
    return picture.in_eight_bits().rgb.view(np.uint8)


def detail(image: Pixels8) -> float:
    """Mean absolute difference, in [0, 255], of neighbouring pixels of an (H, W) or (H, W, 3) uint8 image."""
    values = image.astype(np.int16)
    return float((np.abs(np.diff(values, axis=0)).mean() + np.abs(np.diff(values, axis=1)).mean()) / 2)


def crop_mirrored(photo: Pixels8, top: int, left: int, side: int) -> Pixels8:
    """The square whose first pixel is (top, left); beyond the photo it is mirrored, the border pixel not repeated."""
    # Whole rows first, then columns of what is left: several times faster than picking single pixels.
    return _along(_along(photo, top, side, 0), left, side, 1)


def _along(photo: Pixels8, start: int, side: int, axis: int) -> Pixels8:
    size = photo.shape[axis]
    if start >= 0 and start + side <= size:
        return photo[start : start + side] if axis == 0 else photo[:, start : start + side]
    period = max(1, 2 * size - 2)
    positions = np.abs(np.arange(start, start + side)) % period
    return photo.take(np.where(positions >= size, period - positions, positions), axis)


def random_flip(rng: np.random.Generator) -> tuple[int, bool]:
    """Quarter rotations, and whether to mirror after them; the eight are equally likely."""
    return int(rng.integers(4)), bool(rng.integers(2))


def flip(image: NDArray[Any], rotations: int, mirror: bool) -> NDArray[Any]:
    """`image` (H, W) or (H, W, C), rotated counter-clockwise by so many quarters, then mirrored left to right.

    Each of its pixels must be contiguous in memory; the result is contiguous.
    """
    # A pixel moved as one item takes half the time of three numbers. The type is any of that length.
    pixels = image.view(f"V{image.shape[2] * image.itemsize}")[..., 0] if image.ndim == 3 else image
    pixels = np.rot90(pixels, rotations)
    pixels = np.ascontiguousarray(pixels[:, ::-1] if mirror else pixels)
    return pixels.view(image.dtype).reshape(*pixels.shape, -1) if image.ndim == 3 else pixels
