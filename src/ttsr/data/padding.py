"""References of any size brought to one, and blurred: the two orders in which the public implementations do it."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ttsr.data.sample import Pixels
from ttsr.images.resize import SCALE

PaddingOrder = Literal["degrade-then-pad", "pad-then-degrade"]


def fit_reference(reference: Pixels, size: int, order: PaddingOrder) -> tuple[Pixels, Pixels, NDArray[np.bool_]]:
    """A reference as a square of `size` pixels, its blurred form, and which cells are the picture's.

    A larger one loses what lies beyond at the right and the bottom, a smaller one gets zeros there.

    Args:
        reference: (H, W, 3) uint8, H and W at least 4.
        size: a multiple of 4.
        order: `degrade-then-pad`: blurred at its own size, both then padded (the authors). `pad-then-degrade`: padded
            first, so that the padding's edge is blurred too (MMagic).

    Returns:
        ref and ref_blur (size, size, 3) uint8, and a mask (size / 4, size / 4) bool: True for a cell of 4x4 pixels all
        of which are the reference's.
    """
    reference = reference[:size, :size]
    height, width = reference.shape[:2]
    ref = _padded(reference, size)
    blurred = _degraded(ref) if order == "pad-then-degrade" else _padded(_degraded(reference), size)
    mask = np.zeros((size // SCALE, size // SCALE), dtype=bool)
    mask[: height // SCALE, : width // SCALE] = True
    return ref, blurred, mask


def _padded(image: Pixels, size: int) -> Pixels:
    height, width = image.shape[:2]
    return np.pad(image, ((0, size - height), (0, size - width), (0, 0)))


def _degraded(image: Pixels) -> Pixels:
    """As `images.resize.degrade`, of any size: by its quarter, rounded down, and back, as the authors' code does.

    A few of CUFED's references are 159 pixels wide.
    """
    height, width = image.shape[:2]
    pillow = Image.fromarray(np.ascontiguousarray(image))
    small = pillow.resize((width // SCALE, height // SCALE), Image.Resampling.BICUBIC)
    return np.array(small.resize((width, height), Image.Resampling.BICUBIC))
