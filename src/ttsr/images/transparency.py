"""Transparent pictures: colours where nothing is seen, and edges of opaque and clear areas."""

from dataclasses import replace

import numpy as np

from ttsr.images.picture import Picture
from ttsr.images.resize import upscale4_nearest


def with_spread_colours(picture: Picture) -> Picture:
    """The picture with the colours beside its clear pixels spread over them.

    Under alpha 0 files hold black or anything else, which upscaling would mix into the edges of what is seen.
    """
    if picture.alpha is None or picture.alpha.all() or not picture.alpha.any():
        return picture
    spread = _spread(picture.rgb.astype(np.float32), picture.alpha > 0)
    return replace(picture, rgb=np.rint(spread).astype(picture.rgb.dtype))


def _spread(colours: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(H, W, 3) with the unknown pixels taken from the mean of the known ones around, the nearest that there are."""
    if known.all():
        return colours
    height, width = known.shape
    even = ((0, height % 2), (0, width % 2))
    weight = np.pad(known, even).astype(np.float32)[..., None]
    halves = (height + 1) // 2, 2, (width + 1) // 2, 2
    total = (np.pad(colours, (*even, (0, 0))) * weight).reshape(*halves, 3).sum((1, 3))
    count = weight.reshape(*halves, 1).sum((1, 3))
    coarse = _spread(total / np.maximum(count, 1), count[..., 0] > 0)
    return np.where(known[..., None], colours, coarse.repeat(2, 0).repeat(2, 1)[:height, :width])


def keep_flat(upscaled: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """An (H, W) alpha upscaled four times, exact where the 3x3 pixels around are equal: opaque stays opaque."""
    around = np.lib.stride_tricks.sliding_window_view(np.pad(alpha, 1, mode="edge"), (3, 3))
    flat = around.min((2, 3)) == around.max((2, 3))
    return np.where(upscale4_nearest(flat), upscale4_nearest(alpha), upscaled)


def is_constant(alpha: np.ndarray) -> bool:
    """Whether all of it is equally transparent."""
    return bool((alpha == alpha.flat[0]).all())
