"""Duplicate photos: a copy, smaller or recompressed or cropped, is no reference for the original."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ttsr.data.crops import Pixels8
from ttsr.geometry import apply, jacobian, scale_and_rotation
from ttsr.registration.estimate import Registration

# Two photos whose `difference` is smaller are duplicates. Of 32 copies (scaled, cropped, JPEG of quality 60) none has
# more than 0.36; of 233 pairs of different photos of one thing the nearest have 0.50 and 0.78.
MAX_DIFFERENCE = 0.42
COPY_SIDE = 256  # longest side in pixels of the first photo's copy that is compared
_BLUR = 2.0  # sigma in pixels of the copy: what is left of a copy's other pixel grid and compression vanishes


def difference(first: Pixels8, second: Pixels8, registration: Registration) -> float:
    """Mean difference of two photos where both show the same, over what a step of a pixel changes: 0 for one photo.

    Gray, shrunk and blurred copies of the (H, W, 3) uint8 photos are compared, laid on each other by the registration
    of `second` to `first`. Infinite where they share nearly nothing.
    """
    from scipy.ndimage import gaussian_filter, map_coordinates

    height, width = first.shape[:2]
    shrink = min(1.0, COPY_SIDE / max(height, width))
    middle = np.median(registration.points, axis=0)
    scale, _ = scale_and_rotation(jacobian(registration.homography, middle))
    here, here_scale = _copy(first, shrink)
    there, there_scale = _copy(second, min(1.0, shrink / scale))
    rows, columns = np.indices(here.shape)
    centres = (np.stack([columns, rows], axis=-1).reshape(-1, 2) + 0.5) / here_scale
    x, y = (apply(registration.homography, centres) * there_scale - 0.5).T
    inside = (x >= _BLUR) & (y >= _BLUR) & (x <= there.shape[1] - 1 - _BLUR) & (y <= there.shape[0] - 1 - _BLUR)
    if inside.mean() < 0.05 or min(here.shape) < 2:
        return math.inf
    here = gaussian_filter(here, _BLUR)
    seen = map_coordinates(gaussian_filter(there, _BLUR), [y[inside], x[inside]], order=1)
    down, across = np.gradient(here)
    step = np.hypot(down, across).ravel()[inside].mean()
    return float(np.abs(seen - here.ravel()[inside]).mean() / max(step, 1e-3))


def _copy(photo: Pixels8, shrink: float) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Gray and shrunk, and by how much in x and y."""
    height, width = photo.shape[:2]
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    gray = Image.fromarray(photo).convert("L").resize(size, Image.Resampling.BOX)
    return np.asarray(gray, np.float32), np.array([size[0] / width, size[1] / height])
