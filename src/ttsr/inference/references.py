"""Pictures as the network wants its references: sides of whole fours."""

import numpy as np

from ttsr.errors import ImageError
from ttsr.images.picture import Picture
from ttsr.images.resize import SCALE, cut_to_multiple


def reference_pixels(picture: Picture, name: str) -> np.ndarray:
    """A reference cut at the right and below to a multiple of 4, as TTSR's authors do: (H, W, 3) uint8.

    Raises:
        ImageError: it has less than 4 pixels a side.
    """
    width, height = picture.size
    if min(width, height) < SCALE:
        raise ImageError(f"{name}: a reference needs at least {SCALE}x{SCALE} pixels and has {width}x{height}")
    return cut_to_multiple(picture.rgb)


def own_reference(lr: np.ndarray) -> np.ndarray:
    """The LR picture as its own reference (the paper's row "LR"): (H, W, 3) uint8, cut to a multiple of 4.

    A side of less than 4 pixels is continued with its last row or column.
    """
    missing = [(0, max(0, SCALE - side)) for side in lr.shape[:2]]
    return cut_to_multiple(np.pad(lr, [*missing, (0, 0)], mode="edge"))
