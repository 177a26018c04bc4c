"""Crops of photos as pixel arrays; free of torch, which the processes that mine pairs do without."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""(H, W, 3) uint8 RGB, the right way up."""

MIN_DETAIL = 4.0
"""A crop of less `detail` teaches little: a piece of sky, say."""


def detail(image: Pixels) -> float:
    """Mean absolute difference, in [0, 255], of neighbouring pixels of an (H, W) or (H, W, 3) uint8 image."""
    values = image.astype(np.int16)
    return float((np.abs(np.diff(values, axis=0)).mean() + np.abs(np.diff(values, axis=1)).mean()) / 2)


def crop_mirrored(photo: Pixels, top: int, left: int, side: int) -> Pixels:
    """The square whose first pixel is (top, left); beyond the photo it is mirrored, the border pixel not repeated."""
    # Whole rows first, then columns of what is left: several times faster than picking single pixels.
    return _along(_along(photo, top, side, 0), left, side, 1)


def _along(photo: Pixels, start: int, side: int, axis: int) -> Pixels:
    size = photo.shape[axis]
    if start >= 0 and start + side <= size:
        return photo[start : start + side] if axis == 0 else photo[:, start : start + side]
    period = max(1, 2 * size - 2)
    positions = np.abs(np.arange(start, start + side)) % period
    return photo.take(np.where(positions >= size, period - positions, positions), axis)
