"""Two random views of one photo: an HR crop, and a reference crop warped and recoloured.

Legend: a window is a square piece of a photo that both views are cut from; coordinates are (x, y) in pixels, the corner
of the first pixel at (0, 0).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ttsr.data.detail import MIN_DETAIL, detail
from ttsr.data.flips import draw_turn, turned
from ttsr.data.sample import Pair, Pixels

MAX_DRAWS = 8
"""Crops drawn at most, in place of such as have too little detail."""


@dataclass(frozen=True)
class Warp:
    """How far a reference may differ from the HR crop; each is the largest deviation, drawn uniformly.

    rotation in degrees; scale as the logarithm of the ratio; shift and perspective as a share of the crop's side; gain,
    gamma and offset (of 255) for each channel.
    """

    rotation: float = 20.0
    scale: float = 0.3
    shift: float = 0.35
    perspective: float = 0.06
    gain: float = 0.12
    gamma: float = 0.2
    offset: float = 12.0


def draw_window(photo: Pixels, side: int, crop: int, rng: np.random.Generator) -> Pixels:
    """A square window (side, side, 3), turned and mirrored at random, whose middle crop has some detail.

    What lies beyond the photo is mirrored.
    """
    height, width = photo.shape[:2]
    margin = (side - crop) // 2
    top = left = 0
    for _ in range(MAX_DRAWS):
        top = int(rng.integers(0, max(1, height - crop + 1)))
        left = int(rng.integers(0, max(1, width - crop + 1)))
        if detail(_square(photo, top, left, crop)[..., 1]) >= MIN_DETAIL:  # green tells enough
            break
    window = _square(photo, top - margin, left - margin, side)
    return turned(window, *draw_turn(rng))


def two_views(photo: Pixels, hr_size: int, ref_size: int, warp: Warp, rng: np.random.Generator) -> Pair:
    """An HR crop (hr_size, hr_size, 3) and a reference crop (ref_size, ref_size, 3) of about the same place."""
    side = hr_size + 2 * ref_size
    window = draw_window(photo, side, hr_size, rng)
    margin = (side - hr_size) // 2
    hr = window[margin : margin + hr_size, margin : margin + hr_size]
    to_window = random_homography(side, hr_size, ref_size, warp, rng)
    ref = recolour(sample_view(window, to_window, ref_size), warp, rng)
    from_hr = np.array([[1.0, 0, margin], [0, 1, margin], [0, 0, 1]])
    return Pair(np.ascontiguousarray(hr), ref, np.linalg.inv(to_window) @ from_hr)


def random_homography(
    side: int, hr_size: int, ref_size: int, warp: Warp, rng: np.random.Generator
) -> NDArray[np.floating]:
    """Coordinates of a reference crop to those of the window it is cut from, about the window's middle."""
    angle = np.deg2rad(rng.uniform(-warp.rotation, warp.rotation))
    scale = np.exp(rng.uniform(-warp.scale, warp.scale))
    shift = rng.uniform(-warp.shift, warp.shift, 2) * hr_size
    tilt = rng.uniform(-warp.perspective, warp.perspective, 2) / ref_size
    centre = np.array([[1.0, 0, -ref_size / 2], [0, 1, -ref_size / 2], [0, 0, 1]])
    bend = np.array([[1.0, 0, 0], [0, 1, 0], [tilt[0], tilt[1], 1]])
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    place = np.array([[cos, -sin, side / 2 + shift[0]], [sin, cos, side / 2 + shift[1]], [0, 0, 1]])
    return place @ bend @ centre


def sample_view(window: Pixels, to_window: NDArray[np.floating], size: int) -> Pixels:
    """Bicubic sample (size, size, 3) of a window through a homography."""
    coefficients = (to_window / to_window[2, 2]).ravel()[:8]
    image = Image.fromarray(np.ascontiguousarray(window))
    view = image.transform((size, size), Image.Transform.PERSPECTIVE, tuple(coefficients), Image.Resampling.BICUBIC)
    return np.asarray(view)


def recolour(image: Pixels, warp: Warp, rng: np.random.Generator) -> Pixels:
    """Another exposure and white balance: gain, gamma and offset, most of each common to the three channels."""

    def deviations(limit: float) -> NDArray[np.floating]:
        return rng.uniform(-limit, limit) * 0.7 + rng.uniform(-limit, limit, 3) * 0.3

    gamma, gain, offset = np.exp(deviations(warp.gamma)), 1 + deviations(warp.gain), deviations(warp.offset)
    levels = np.arange(256)[:, None] / 255
    curves = np.clip(levels**gamma * gain * 255 + offset, 0, 255).round().astype(np.uint8)  # 256, 3
    return np.stack([curves[image[..., channel], channel] for channel in range(3)], -1)


def _square(photo: Pixels, top: int, left: int, side: int) -> Pixels:
    """The square whose first pixel is (top, left); what lies beyond the photo is mirrored."""
    # Whole rows first, then columns of what is left: several times faster than picking single pixels.
    return _along(_along(photo, top, side, 0), left, side, 1)


def _along(photo: Pixels, start: int, side: int, axis: int) -> Pixels:
    size = photo.shape[axis]
    if start >= 0 and start + side <= size:
        return photo[start : start + side] if axis == 0 else photo[:, start : start + side]
    return photo.take(_mirrored(np.arange(start, start + side), size), axis)


def _mirrored(positions: NDArray[np.int_], size: int) -> NDArray[np.int_]:
    """Fold positions beyond [0, size) back, the border pixel not repeated."""
    period = max(1, 2 * size - 2)
    positions = np.abs(positions) % period
    return np.where(positions >= size, period - positions, positions)
