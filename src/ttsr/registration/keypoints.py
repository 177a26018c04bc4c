"""Local features of a photo: SIFT (Lowe, 2004) on a copy of a fixed size, so that every photo costs the same.

Coordinates are (x, y) in pixels of the photo itself, the corner of the first pixel at (0, 0).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ttsr.errors import DataError

COPY_SIDE = 640
"""Longest side in pixels of the copy that features are looked for in; smaller photos are taken as they are."""

_SMALLEST_SIDE = 12  # of the copy: SIFT's scales ask for it

MAX_POINTS = 800
"""Key points kept of a photo: those of the largest scales, which other photos are likeliest to show too."""

KEY_POINT = np.dtype(
    [("place", np.float32, 2), ("scale", np.float32), ("angle", np.float32), ("descriptor", np.uint8, 128)]
)
"""Place and scale (sigma) in pixels of the photo, angle in radians, SIFT's descriptor."""


@dataclass(frozen=True)
class Features:
    """Key points, (N,) of `KEY_POINT` by falling scale, and the (width, height) of their photo."""

    size: tuple[int, int]
    key_points: NDArray[Any]

    @property
    def points(self) -> NDArray[np.float32]:
        """(N, 2): x and y."""
        return self.key_points["place"]


def find_features(photo: NDArray[np.uint8]) -> Features:
    """The features of an (H, W, 3) uint8 photo; none at all where it is flat.

    Raises:
        DataError: scikit-image is not installed.
    """
    height, width = photo.shape[:2]
    shrink = min(1.0, COPY_SIDE / max(width, height))
    copy_size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    gray = Image.fromarray(photo).convert("L")
    if copy_size != gray.size:
        gray = gray.resize(copy_size, Image.Resampling.LANCZOS)
    if min(copy_size) < _SMALLEST_SIDE:
        return Features((width, height), np.zeros(0, KEY_POINT))
    # SIFT's doubling of the copy takes three times as long, and finds little more: a larger copy serves better.
    sift = scikit_image_sift()(upsampling=1)
    try:
        sift.detect_and_extract(np.asarray(gray, dtype=np.float32) / 255)
    except RuntimeError:  # its word for "no features"
        return Features((width, height), np.zeros(0, KEY_POINT))
    kept = np.argsort(-sift.sigmas, kind="stable")[:MAX_POINTS]
    to_photo = np.array([width / copy_size[0], height / copy_size[1]])
    key_points = np.zeros(len(kept), KEY_POINT)
    key_points["place"] = (sift.positions[kept, ::-1] + 0.5) * to_photo
    key_points["scale"] = sift.sigmas[kept] * to_photo.mean()
    key_points["angle"] = sift.orientations[kept]
    key_points["descriptor"] = sift.descriptors[kept]
    return Features((width, height), key_points)


def scikit_image_sift() -> Any:
    """The class that features are found with, to see early that it is there.

    Raises:
        DataError: scikit-image is not installed.
    """
    try:
        from skimage.feature import SIFT
    except ImportError as error:
        raise DataError('making pairs needs scikit-image: pip install "ttsr[train]"') from error
    return SIFT
