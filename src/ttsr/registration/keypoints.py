"""Keypoints of a photo: SIFT (Lowe, 2004) on a copy of limited size, so that every photo costs the same.

Coordinates are those of `ttsr.geometry`, in pixels of the photo itself.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COPY_SIDE = 640  # longest side in pixels of the copy that keypoints are looked for in; smaller photos stay as they are
_SMALLEST_SIDE = 12  # of the copy: SIFT's scales ask for it
MAX_KEYPOINTS = 800  # of a photo: those of the largest scales, which other photos are likeliest to show too

KEYPOINT = np.dtype(
    [("point", np.float32, 2), ("scale", np.float32), ("angle", np.float32), ("descriptor", np.uint8, 128)]
)
"""Position and scale (sigma) in pixels of the photo, angle in radians, SIFT's descriptor."""


@dataclass(frozen=True)
class Keypoints:
    """The keypoints of a photo of `size` (width, height) in pixels: (N,) of `KEYPOINT`, the largest scale first."""

    size: tuple[int, int]
    records: NDArray[Any]

    def __len__(self) -> int:
        return len(self.records)

    @property
    def points(self) -> NDArray[np.float32]:
        """(N, 2): x and y."""
        return self.records["point"]

    @cached_property
    def root_descriptors(self) -> NDArray[np.float32]:
        """(N, 128) of length 1: RootSIFT (Arandjelović and Zisserman, 2012), roots of entries that sum to one."""
        floats = self.records["descriptor"].astype(np.float32)
        return np.sqrt(floats / np.maximum(floats.sum(axis=1, keepdims=True), 1))


def find_keypoints(
    photo: NDArray[np.uint8], *, copy_side: int = COPY_SIDE, max_keypoints: int = MAX_KEYPOINTS, enlarge: float = 1
) -> Keypoints:
    """The keypoints of an (H, W, 3) uint8 photo; none where it is flat.

    Args:
        photo: the photo.
        copy_side: longest side in pixels of the copy that is looked at.
        max_keypoints: how many to keep, those of the largest scales.
        enlarge: a smaller photo is enlarged by up to this factor for the copy.
    """
    from skimage.feature import SIFT  # a second of importing, which `ttsr --help` need not wait for

    height, width = photo.shape[:2]
    resize = min(enlarge, copy_side / max(width, height))
    copy_size = (max(1, round(width * resize)), max(1, round(height * resize)))
    gray = Image.fromarray(photo).convert("L")
    if copy_size != gray.size:
        gray = gray.resize(copy_size, Image.Resampling.LANCZOS)
    if min(copy_size) < _SMALLEST_SIDE:
        return Keypoints((width, height), np.zeros(0, KEYPOINT))
    # SIFT's doubling of the copy takes three times as long, and finds little more: a larger copy serves better.
    sift: Any = SIFT(upsampling=1)
    try:
        sift.detect_and_extract(np.asarray(gray, dtype=np.float32) / 255)
    except RuntimeError:  # raised where there are no keypoints
        return Keypoints((width, height), np.zeros(0, KEYPOINT))
    kept = np.argsort(-sift.sigmas, kind="stable")[:max_keypoints]
    to_photo = np.array([width / copy_size[0], height / copy_size[1]])
    records = np.zeros(len(kept), KEYPOINT)
    records["point"] = (sift.positions[kept, ::-1] + 0.5) * to_photo
    records["scale"] = sift.sigmas[kept] * to_photo.mean()
    records["angle"] = sift.orientations[kept]
    records["descriptor"] = sift.descriptors[kept]
    return Keypoints((width, height), records)
