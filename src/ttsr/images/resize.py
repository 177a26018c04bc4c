"""Bicubic resizing as the weights were trained with: Pillow's, on 8 bits, rounded each time."""

import numpy as np
from PIL import Image

from ttsr.errors import ImageError

SCALE = 4


def upscale4(image: np.ndarray) -> np.ndarray:
    """Four times larger by Pillow's bicubic filter.

    Args:
        image: (H, W) or (H, W, 3) uint8.

    Returns:
        (4 H, 4 W) or (4 H, 4 W, 3) uint8.
    """
    height, width = image.shape[:2]
    return _resize(image, width * SCALE, height * SCALE)


def downscale4(image: np.ndarray) -> np.ndarray:
    """Four times smaller by Pillow's bicubic filter.

    Args:
        image: (H, W) or (H, W, 3) uint8, H and W multiples of 4.

    Returns:
        (H/4, W/4) or (H/4, W/4, 3) uint8.
    """
    height, width = image.shape[:2]
    assert height % SCALE == 0 and width % SCALE == 0, image.shape
    return _resize(image, width // SCALE, height // SCALE)


def blur_by_resize(image: np.ndarray) -> np.ndarray:
    """Four times smaller and back, both by Pillow's bicubic filter, rounded to 8 bits in between.

    This makes `ref_blur`, which the search compares with the up-sampled LR: both then lack the same detail.

    Args:
        image: (H, W) or (H, W, 3) uint8, H and W multiples of 4.

    Returns:
        uint8 of the same shape.
    """
    return upscale4(downscale4(image))


def cut_to_multiple(image: np.ndarray) -> np.ndarray:
    """Cut the last rows and columns so that both sides are multiples of 4, as TTSR's authors cut references."""
    height, width = image.shape[:2]
    return image[: height // SCALE * SCALE, : width // SCALE * SCALE]


def _resize(image: np.ndarray, width: int, height: int) -> np.ndarray:
    if image.dtype != np.uint8:
        raise ImageError(f"{image.dtype} pixels cannot be resized", "reduce them to 8 bits first")
    # Pillow accepts contiguous memory only.
    pillow = Image.fromarray(np.ascontiguousarray(image))
    return np.array(pillow.resize((width, height), Image.Resampling.BICUBIC))
