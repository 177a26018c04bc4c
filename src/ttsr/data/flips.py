"""The eight ways to turn and mirror a picture."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def draw_turn(rng: np.random.Generator) -> tuple[int, bool]:
    """Quarter turns and whether to mirror after them; the eight are equally likely."""
    return int(rng.integers(4)), bool(rng.integers(2))


def turned(image: NDArray[Any], turns: int, mirrored: bool) -> NDArray[Any]:
    """`image` (H, W) or (H, W, C), turned counter-clockwise by so many quarters, then mirrored left to right.

    Its pixels must lie whole in memory; those of the result are contiguous.
    """
    # A pixel moved as one item takes half the time of three numbers. The type is any of that length.
    pixels = image.view(f"V{image.shape[2] * image.itemsize}")[..., 0] if image.ndim == 3 else image
    pixels = np.rot90(pixels, turns)
    pixels = np.ascontiguousarray(pixels[:, ::-1] if mirrored else pixels)
    return pixels.view(image.dtype).reshape(*pixels.shape, -1) if image.ndim == 3 else pixels
