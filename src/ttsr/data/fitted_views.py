"""Two views of one photo as a network sees them once the reference is fitted to the LR picture.

Before the search, a reference is resampled into the frame of the LR picture by its estimated pose, and its colours are
fitted (`ttsr.inference`). So here it is taken at another scale and angle, and resampled back: taken smaller it arrives
blurred, taken larger as sharp as before. A little of the difference in pose and colour is left.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from ttsr.data.crops import Pixels8
from ttsr.data.pair_options import PhotosOptions
from ttsr.data.reference_degradations import degrade
from ttsr.data.sample import Pair
from ttsr.data.views import color_jitter, draw_pose, hr_of_window
from ttsr.geometry import Homography, apply, compose, invert, similarity, translation, warp
from ttsr.images.picture import to_pixels, to_tensor

_REACH = 4  # pixels of the taken reference beyond the crop that the filters need


def fitted_views(window: Pixels8, options: PhotosOptions, rng: np.random.Generator) -> Pair:
    """An HR crop and a fitted, degraded reference of about the same place, from a window as `two_views` takes it."""
    hr, margin = hr_of_window(window, options.hr_size)
    to_window = draw_pose(len(window), options.hr_size, options.ref_size, options.fitted_warp, rng)
    scale = float(np.exp(rng.uniform(*np.log(options.reference_scale))))
    # What is taken larger is made smaller again by a filter that keeps its detail, and so is as the window.
    taken, to_taken = _taken(window, to_window, options.ref_size, min(1.0, scale), rng.uniform(-180, 180))
    ref = _resampled(degrade(taken, options, rng), to_taken, options.ref_size)
    ref = color_jitter(ref, options.fitted_warp, rng)
    return Pair(hr, ref, compose(invert(to_window), translation(margin, margin)))


def _taken(
    window: Pixels8, to_window: Homography, ref_size: int, scale: float, rotation: float
) -> tuple[Pixels8, Homography]:
    """What a crop of a window needs, smaller and rotated if the scale is below 1, and the map from the crop to it."""
    middle = len(window) / 2
    corners = apply(to_window, np.array([[0.0, 0], [ref_size, 0], [0, ref_size], [ref_size, ref_size]]))
    half = math.ceil(min(np.abs(corners - middle).max() + _REACH / scale, middle))
    if scale == 1:
        first, last = max(0, int(middle) - half), int(middle) + half
        return window[first:last, first:last], compose(translation(-first, -first), to_window)
    half = math.ceil(min(half * math.sqrt(2), middle))  # whatever the rotation
    turn = compose(similarity(1.0, rotation, (middle, middle)), translation(-half, -half))
    small = round(2 * half * scale)
    turned = Image.fromarray(warp(window, turn, (2 * half, 2 * half)))
    taken = np.asarray(turned.resize((small, small), Image.Resampling.BICUBIC))
    return taken, compose(np.diag([small / (2 * half)] * 2 + [1.0]), invert(turn), to_window)


def _resampled(image: Pixels8, to_image: Homography, side: int) -> Pixels8:
    """(side, side, 3) by the bicubic kernel that references are resampled with, which is sharper than Pillow's."""
    y, x = np.mgrid[0:side, 0:side] + 0.5
    points = apply(to_image, np.stack([x.ravel(), y.ravel()], 1))
    where = torch.from_numpy(2 * points / [image.shape[1], image.shape[0]] - 1).float().view(1, side, side, 2)
    sampled = F.grid_sample(to_tensor(image), where, mode="bicubic", padding_mode="border", align_corners=False)
    return to_pixels(sampled[0], 8)
