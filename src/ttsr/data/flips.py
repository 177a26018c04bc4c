"""The eight rotations and mirror images of a picture."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


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
