"""Crops of photos as pixel arrays; free of torch, which the processes that mine pairs do without."""

import numpy as np
from numpy.typing import NDArray

from ttsr.errors import ImageError
from ttsr.images.picture import Picture

Pixels8 = NDArray[np.uint8]
"""(H, W, 3) uint8 RGB, the right way up."""

MIN_DETAIL = 4.0
"""A crop of less `detail` teaches little: a piece of sky, say."""


def rgb8(picture: Picture) -> Pixels8:
    """The pixels of a picture of 8 bits a channel, as data sets hold them.

    Raises:
        ImageError: it has 16 bits.
    """
    if picture.rgb.dtype != np.uint8:
        raise ImageError("pictures of 16 bits a channel cannot be used in data sets", "reduce them to 8 bits")
    return picture.rgb.view(np.uint8)


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
