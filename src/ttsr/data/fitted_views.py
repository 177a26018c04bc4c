"""Two views of one photo as a network sees them once the reference is fitted to the LR picture.

Before the search, a reference is resampled into the frame of the LR picture by its estimated pose, and its colours are
fitted (`ttsr.inference`). So here it is taken at another scale and angle, and resampled back: taken smaller it arrives
blurred, taken larger as sharp as before. A little of the difference in pose and colour is left.
"""

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


def fitted_views(window: Pixels8, options: PhotosOptions, rng: np.random.Generator) -> Pair:
    """An HR crop and a fitted, degraded reference of about the same place, from a window as `two_views` takes it."""
    hr, margin = hr_of_window(window, options.hr_size)
    to_window = draw_pose(len(window), options.hr_size, options.ref_size, options.fitted_warp, rng)
    scale = float(np.exp(rng.uniform(*np.log(options.reference_scale))))
    taken, to_taken = window, to_window
    if scale < 1:
        taken, of_window = _taken(window, scale, rng.uniform(-180, 180))
        to_taken = compose(of_window, to_window)
    taken = degrade(taken, options, rng)
    ref = color_jitter(_resampled(taken, to_taken, options.ref_size), options.fitted_warp, rng)
    return Pair(hr, ref, compose(invert(to_window), translation(margin, margin)))


def _taken(window: Pixels8, scale: float, rotation: float) -> tuple[Pixels8, Homography]:
    """A window smaller and rotated about its middle, zeros beyond it, and the map from its points to the result's."""
    side = len(window)
    small = max(1, round(side * scale))
    turn = compose(similarity(1.0, rotation, (side / 2, side / 2)), translation(-side / 2, -side / 2))
    rotated = warp(window, turn, (side, side))
    taken = np.asarray(Image.fromarray(rotated).resize((small, small), Image.Resampling.BICUBIC))
    return taken, compose(np.diag([small / side, small / side, 1.0]), invert(turn))


def _resampled(image: Pixels8, to_image: Homography, side: int) -> Pixels8:
    """(side, side, 3) by the bicubic kernel that references are resampled with, which is sharper than Pillow's."""
    y, x = np.mgrid[0:side, 0:side] + 0.5
    points = apply(to_image, np.stack([x.ravel(), y.ravel()], 1))
    where = torch.from_numpy(2 * points / [image.shape[1], image.shape[0]] - 1).float().view(1, side, side, 2)
    sampled = F.grid_sample(to_tensor(image), where, mode="bicubic", padding_mode="border", align_corners=False)
    return to_pixels(sampled[0], 8)
