"""Two random views of one photo: an HR crop, and a reference crop warped and with other colours.

A window is a square piece of a photo, of side `window_side`, that both views are cut from. Coordinates are those of
`ttsr.geometry`.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ttsr.data.crops import MIN_DETAIL, Pixels8, crop_mirrored, detail, flip, random_flip
from ttsr.data.pair_options import Warp
from ttsr.data.sample import Pair
from ttsr.geometry import Homography, compose, invert, similarity, translation, warp

MAX_DRAWS = 8  # crops at most, in place of such as have too little detail


def window_side(hr_size: int, ref_size: int) -> int:
    """Side of a window for crops of these sides."""
    return hr_size + 2 * ref_size


def draw_window(photo: Pixels8, side: int, crop: int, rng: np.random.Generator, *, downscale: float = 1.0) -> Pixels8:
    """A random square window (side, side, 3), flipped at random, whose middle crop of side `crop` has some detail.

    What lies beyond the photo is mirrored.

    Args:
        photo: (H, W, 3), no smaller than the crop.
        side: of the window.
        crop: side of the crop in its middle, which lies within the photo.
        rng: draws the place.
        downscale: where it is less than 1, half of the windows are of the photo at a smaller scale, from this on.
    """
    if downscale < 1 and rng.random() < 0.5:
        scale = max(rng.uniform(downscale, 1), crop / min(photo.shape[:2]))
        window = draw_window(photo, round(side / scale), round(crop / scale), rng)
        return np.asarray(Image.fromarray(window).resize((side, side), Image.Resampling.BICUBIC))
    height, width = photo.shape[:2]
    margin = (side - crop) // 2
    top = left = 0
    for _ in range(MAX_DRAWS):
        top = int(rng.integers(0, max(1, height - crop + 1)))
        left = int(rng.integers(0, max(1, width - crop + 1)))
        if detail(crop_mirrored(photo, top, left, crop)[..., 1]) >= MIN_DETAIL:  # green tells enough
            break
    window = crop_mirrored(photo, top - margin, left - margin, side)
    return flip(window, *random_flip(rng))


def two_views(window: Pixels8, hr_size: int, ref_size: int, limits: Warp, rng: np.random.Generator) -> Pair:
    """An HR crop (hr_size, hr_size, 3) and a reference crop (ref_size, ref_size, 3) of about the same place."""
    hr, margin = hr_of_window(window, hr_size)
    to_window = draw_pose(len(window), hr_size, ref_size, limits, rng)
    ref = color_jitter(warp(window, to_window, (ref_size, ref_size)), limits, rng)
    return Pair(hr, ref, compose(invert(to_window), translation(margin, margin)))


def hr_of_window(window: Pixels8, hr_size: int) -> tuple[Pixels8, int]:
    """The crop (hr_size, hr_size, 3) in a window's middle, and how far it is from the window's border."""
    margin = (len(window) - hr_size) // 2
    return np.ascontiguousarray(window[margin : margin + hr_size, margin : margin + hr_size]), margin


def draw_pose(side: int, hr_size: int, ref_size: int, limits: Warp, rng: np.random.Generator) -> Homography:
    """A random map from points of a reference crop to points of a window of this side, about its middle."""
    rotation = rng.uniform(-limits.rotation, limits.rotation)
    scale = np.exp(rng.uniform(-limits.scale, limits.scale))
    shift = rng.uniform(-limits.shift, limits.shift, 2) * hr_size
    tilt = rng.uniform(-limits.perspective, limits.perspective, 2) / ref_size
    perspective = np.array([[1.0, 0, 0], [0, 1, 0], [tilt[0], tilt[1], 1]])
    to_window = similarity(scale, rotation, (side / 2 + shift[0], side / 2 + shift[1]))
    return compose(to_window, perspective, translation(-ref_size / 2, -ref_size / 2))


def color_jitter(image: Pixels8, limits: Warp, rng: np.random.Generator) -> Pixels8:
    """Another exposure and white balance: gain, gamma and offset, most of each common to the three channels."""

    def deviations(limit: float) -> NDArray[np.floating]:
        return rng.uniform(-limit, limit) * 0.7 + rng.uniform(-limit, limit, 3) * 0.3

    gamma, gain, offset = np.exp(deviations(limits.gamma)), 1 + deviations(limits.gain), deviations(limits.offset)
    levels = np.arange(256)[:, None] / 255
    curves = np.clip(levels**gamma * gain * 255 + offset, 0, 255).round().astype(np.uint8)  # 256, 3
    return np.stack([curves[image[..., channel], channel] for channel in range(3)], -1)
