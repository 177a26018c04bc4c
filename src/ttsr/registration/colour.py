"""Exposure and white balance of a reference brought to those of the LR picture."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

ColourMap = NDArray[np.float64]
"""(3, 2): gain and offset of each channel, of values in [0, 1]."""

_FEWEST_CELLS = 50
_ROUNDS = 3  # of leaving out what deviates
_DEVIATION, _SMALLEST = 2.5, 2 / 255  # from the median deviation on, and what is never left out
_FLAT = 1e-4  # variance below which a gain cannot be told
_LARGEST_GAIN = 4.0


def fit_colours(lr: NDArray[np.floating], reference: NDArray[np.floating]) -> ColourMap | None:
    """The gain and offset of each channel that bring matched colours of a reference to those of the LR.

    Both (N, 3) in [0, 1]; a robust least-squares fit. None if there are too few, or one would be out of range.
    """
    if len(lr) < _FEWEST_CELLS:
        return None
    maps = []
    for wanted, given in zip(lr.T, reference.T, strict=True):
        kept, gain, offset = np.ones(len(wanted), bool), 1.0, 0.0
        for _ in range(_ROUNDS):
            x, y = given[kept].astype(np.float64), wanted[kept].astype(np.float64)
            gain = float(np.cov(x, y)[0, 1] / x.var(ddof=1)) if x.var() > _FLAT else 1.0
            offset = float(y.mean() - gain * x.mean())
            deviation = np.abs(gain * given + offset - wanted)
            kept = deviation <= max(_DEVIATION * float(np.median(deviation)), _SMALLEST)
        if not 1 / _LARGEST_GAIN <= gain <= _LARGEST_GAIN:
            return None
        maps.append((gain, offset))
    return np.array(maps)


def apply_colours(rgb: NDArray[Any], colours: ColourMap) -> NDArray[Any]:
    """An (H, W, 3) uint8 or uint16 picture with the map applied, rounded and limited to the range of its type."""
    largest = np.iinfo(rgb.dtype).max
    table = np.arange(largest + 1)[:, None] * colours[:, 0] + colours[:, 1] * largest
    table = np.clip(np.rint(table), 0, largest).astype(rgb.dtype)
    return np.stack([table[rgb[..., channel], channel] for channel in range(3)], -1)
