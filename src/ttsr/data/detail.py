"""How much there is to see in a crop."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

MIN_DETAIL = 4.0
"""A crop of less `detail` teaches little: a piece of sky, say."""


def detail(image: NDArray[Any]) -> float:
    """Mean absolute difference, in [0, 255], of neighbouring pixels of an (H, W) or (H, W, 3) uint8 image."""
    values = image.astype(np.int16)
    return float((np.abs(np.diff(values, axis=0)).mean() + np.abs(np.diff(values, axis=1)).mean()) / 2)
