"""Bicubic resizing as the weights were trained with: Pillow's, on 8 bits, rounded each time."""

import numpy as np
from PIL import Image

from ttsr.errors import ImageError

SCALE = 4


def resize_bicubic(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize an (H, W) or (H, W, 3) uint8 image by Pillow's bicubic filter.

    Raises:
        ImageError: it is not uint8.
    """
    if image.dtype != np.uint8:
        raise ImageError(f"{image.dtype} pixels cannot be resized", "reduce them to 8 bits first")
    # Pillow accepts contiguous memory only.
    pillow = Image.fromarray(np.ascontiguousarray(image))
    return np.array(pillow.resize((width, height), Image.Resampling.BICUBIC))


def upscale4(image: np.ndarray) -> np.ndarray:
    """An (H, W) or (H, W, 3) uint8 image, four times larger by Pillow's bicubic filter."""
    height, width = image.shape[:2]
    return resize_bicubic(image, width * SCALE, height * SCALE)


def downscale4(image: np.ndarray) -> np.ndarray:
    """An (H, W) or (H, W, 3) uint8 image, H and W multiples of 4, four times smaller by Pillow's bicubic filter."""
    height, width = image.shape[:2]
    assert height % SCALE == 0 and width % SCALE == 0, image.shape
    return resize_bicubic(image, width // SCALE, height // SCALE)


def blur_by_resize(image: np.ndarray) -> np.ndarray:
    """`upscale4` of `downscale4`, rounded to 8 bits in between.

    This makes `ref_blur`, which the search compares with the up-sampled LR: both then lack the same detail.
    """
    return upscale4(downscale4(image))


def cut_to_multiple(image: np.ndarray) -> np.ndarray:
    """Cut the last rows and columns so that both sides are multiples of 4, as TTSR's authors cut references."""
    height, width = image.shape[:2]
    return image[: height // SCALE * SCALE, : width // SCALE * SCALE]
