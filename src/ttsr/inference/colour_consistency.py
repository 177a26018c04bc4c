"""The result's colours kept to those of the LR picture, wherever textures came from."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ttsr.images.picture import to_pixels, to_tensor
from ttsr.images.resize import SCALE

BLOCK = 64  # side in LR pixels of the blocks whose mean colour is kept
TOLERANCE = 1 / 255
_RADIUS = 8  # in LR pixels: what is finer than this is the network's affair


def keep_colours(sr: NDArray[Any], lr: NDArray[Any]) -> NDArray[Any]:
    """Correct slow shifts of colour where the mean of some block deviates by more than 1/255 from that of the LR.

    Args:
        sr: (4h, 4w, 3) uint8 or uint16.
        lr: (h, w, 3) of the same type.

    Returns:
        `sr` itself where there is nothing to correct.
    """
    shift = _cell_means(sr) - to_tensor(lr)
    if _largest_block_mean(shift) <= TOLERANCE:
        return sr
    # A mean over a window that ends at the border, twice, so that the correction has no edges.
    smooth = shift
    for _ in range(2):
        smooth = F.avg_pool2d(smooth, 2 * _RADIUS + 1, stride=1, padding=_RADIUS, count_include_pad=False)
    corrected = np.empty_like(sr)
    for first in range(0, lr.shape[0], BLOCK):
        last = min(first + BLOCK, lr.shape[0])
        rows = slice(max(first - 1, 0), last + 1)
        part = F.interpolate(smooth[:, :, rows], scale_factor=SCALE, mode="bilinear", align_corners=False)
        inner = slice(SCALE * (first - rows.start), SCALE * (last - rows.start))
        here = slice(SCALE * first, SCALE * last)
        corrected[here] = to_pixels(to_tensor(sr[here])[0] - part[0, :, inner], 8 * sr.itemsize)
    return corrected


def _cell_means(sr: NDArray[Any]) -> torch.Tensor:
    """(1, 3, h, w): the means of cells of 4x4 pixels, in [0, 1]."""
    rows = [
        F.avg_pool2d(to_tensor(sr[first : first + SCALE * BLOCK]), SCALE) for first in range(0, len(sr), SCALE * BLOCK)
    ]
    return torch.cat(rows, 2)


def _largest_block_mean(shift: torch.Tensor) -> float:
    """Over blocks at every quarter of their side."""
    sides = [min(BLOCK, side) for side in shift.shape[2:]]
    return float(F.avg_pool2d(shift, sides, stride=[max(1, side // 4) for side in sides]).abs().max())
