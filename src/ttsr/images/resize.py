"""Bicubic resizing as the weights were trained with: Pillow's, rounded to the bits of the picture each time."""

import numpy as np
from PIL import Image

from ttsr.errors import ImageError

SCALE = 4


def resize_bicubic(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize an (H, W) or (H, W, 3) uint8 or uint16 image by Pillow's bicubic filter.

    Images of 16 bits are resized in the same way as Pillow does those of 8: first along the rows, then along the
    columns, each time rounded and limited to the range of the type.

    Raises:
        ImageError: it is of another type.
    """
    if image.dtype == np.uint8:
        # Pillow accepts contiguous memory only.
        pillow = Image.fromarray(np.ascontiguousarray(image))
        return np.array(pillow.resize((width, height), Image.Resampling.BICUBIC))
    if image.dtype != np.uint16:
        raise ImageError(f"{image.dtype} pixels cannot be resized", "give uint8 or uint16")
    # Pillow has no modes of 16-bit colour, and resizes its gray one without this limit.
    planes = image[..., None] if image.ndim == 2 else image
    resized = np.empty((height, width, planes.shape[2]), np.uint16)
    for number in range(planes.shape[2]):
        rows = _resize_plane(planes[..., number], width, planes.shape[0])
        resized[..., number] = _resize_plane(rows, width, height)
    return resized.reshape(height, width, *image.shape[2:])


def _resize_plane(plane: np.ndarray, width: int, height: int) -> np.ndarray:
    pillow = Image.fromarray(plane.astype(np.float32))
    resized = np.array(pillow.resize((width, height), Image.Resampling.BICUBIC))
    return np.clip(np.floor(resized + 0.5), 0, 65535).astype(np.uint16)


def upscale4(image: np.ndarray) -> np.ndarray:
    """An (H, W) or (H, W, 3) image, four times larger by Pillow's bicubic filter."""
    height, width = image.shape[:2]
    return resize_bicubic(image, width * SCALE, height * SCALE)


def upscale4_nearest(image: np.ndarray) -> np.ndarray:
    """An (H, W) or (H, W, 3) image, four times larger: each pixel becomes a square."""
    return image.repeat(SCALE, 0).repeat(SCALE, 1)


def downscale4(image: np.ndarray) -> np.ndarray:
    """An (H, W) or (H, W, 3) image, H and W multiples of 4, four times smaller by Pillow's bicubic filter."""
    height, width = image.shape[:2]
    assert height % SCALE == 0 and width % SCALE == 0, image.shape
    return resize_bicubic(image, width // SCALE, height // SCALE)


def blur_by_resize(image: np.ndarray) -> np.ndarray:
    """`upscale4` of `downscale4`, rounded in between.

    This makes `ref_blur`, which the search compares with the up-sampled LR: both then lack the same detail.
    """
    return upscale4(downscale4(image))


def cut_to_multiple(image: np.ndarray) -> np.ndarray:
    """Cut the last rows and columns so that both sides are multiples of 4, as TTSR's authors cut references."""
    height, width = image.shape[:2]
    return image[: height // SCALE * SCALE, : width // SCALE * SCALE]
