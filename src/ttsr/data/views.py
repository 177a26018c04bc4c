"""Two random views of one photo: an HR crop, and a reference crop warped and with other colours.

A window is a square piece of a photo that both views are cut from. Coordinates are those of `ttsr.geometry`.
"""

import numpy as np
from numpy.typing import NDArray

from ttsr.data.crops import MIN_DETAIL, Pixels8, crop_mirrored, detail, flip, random_flip
from ttsr.data.pair_options import Warp
from ttsr.data.sample import Pair
from ttsr.geometry import compose, invert, similarity, translation, warp

MAX_DRAWS = 8  # crops at most, in place of such as have too little detail


def draw_window(photo: Pixels8, side: int, crop: int, rng: np.random.Generator) -> Pixels8:
    """A random square window (side, side, 3), flipped at random, whose middle crop of side `crop` has some detail.

    What lies beyond the photo is mirrored.
    """
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


def two_views(photo: Pixels8, hr_size: int, ref_size: int, limits: Warp, rng: np.random.Generator) -> Pair:
    """An HR crop (hr_size, hr_size, 3) and a reference crop (ref_size, ref_size, 3) of about the same place."""
    side = hr_size + 2 * ref_size
    window = draw_window(photo, side, hr_size, rng)
    margin = (side - hr_size) // 2
    hr = window[margin : margin + hr_size, margin : margin + hr_size]
    # From points of the reference crop to points of the window, about its middle.
    rotation = rng.uniform(-limits.rotation, limits.rotation)
    scale = np.exp(rng.uniform(-limits.scale, limits.scale))
    shift = rng.uniform(-limits.shift, limits.shift, 2) * hr_size
    tilt = rng.uniform(-limits.perspective, limits.perspective, 2) / ref_size
    perspective = np.array([[1.0, 0, 0], [0, 1, 0], [tilt[0], tilt[1], 1]])
    to_window = similarity(scale, rotation, (side / 2 + shift[0], side / 2 + shift[1]))
    to_window = compose(to_window, perspective, translation(-ref_size / 2, -ref_size / 2))
    ref = color_jitter(warp(window, to_window, (ref_size, ref_size)), limits, rng)
    return Pair(np.ascontiguousarray(hr), ref, compose(invert(to_window), translation(margin, margin)))


def color_jitter(image: Pixels8, limits: Warp, rng: np.random.Generator) -> Pixels8:
    """Another exposure and white balance: gain, gamma and offset, most of each common to the three channels."""

    def deviations(limit: float) -> NDArray[np.floating]:
        return rng.uniform(-limit, limit) * 0.7 + rng.uniform(-limit, limit, 3) * 0.3

    gamma, gain, offset = np.exp(deviations(limits.gamma)), 1 + deviations(limits.gain), deviations(limits.offset)
    levels = np.arange(256)[:, None] / 255
    curves = np.clip(levels**gamma * gain * 255 + offset, 0, 255).round().astype(np.uint8)  # 256, 3
    return np.stack([curves[image[..., channel], channel] for channel in range(3)], -1)
