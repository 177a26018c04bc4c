"""References of any size padded to one size, and blurred: in the two orders of the public implementations."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ttsr.data.crops import Pixels8
from ttsr.data.pair_options import PaddingOrder
from ttsr.images.resize import SCALE


def fit_reference(reference: Pixels8, size: int, order: PaddingOrder) -> tuple[Pixels8, Pixels8, NDArray[np.bool_]]:
    """A reference as a square of `size` pixels, its blurred form, and which cells are not padding.

    A larger one is cropped at the right and the bottom, a smaller one is padded with zeros there.

    Args:
        reference: (H, W, 3) uint8, H and W at least 4.
        size: a multiple of 4.
        order: `degrade-then-pad`: blurred at its own size, both then padded (the authors). `pad-then-degrade`: padded
            first, so that the padding's edge is blurred too (MMagic).

    Returns:
        ref and ref_blur (size, size, 3) uint8, and a mask (size / 4, size / 4) bool: True for cells of 4x4 pixels
        without padding.
    """
    reference = reference[:size, :size]
    height, width = reference.shape[:2]
    ref = _pad(reference, size)
    blurred = _blur(ref) if order == "pad-then-degrade" else _pad(_blur(reference), size)
    mask = np.zeros((size // SCALE, size // SCALE), dtype=bool)
    mask[: height // SCALE, : width // SCALE] = True
    return ref, blurred, mask


def _pad(image: Pixels8, size: int) -> Pixels8:
    height, width = image.shape[:2]
    return np.pad(image, ((0, size - height), (0, size - width), (0, 0)))


def _blur(image: Pixels8) -> Pixels8:
    """As `blur_by_resize`, of any size: a quarter of it is rounded down, as in the authors' code."""
    height, width = image.shape[:2]  # a few of CUFED's references are 159 pixels wide
    pillow = Image.fromarray(np.ascontiguousarray(image))
    small = pillow.resize((width // SCALE, height // SCALE), Image.Resampling.BICUBIC)
    return np.array(small.resize((width, height), Image.Resampling.BICUBIC))
