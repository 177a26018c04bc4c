"""LR pictures as people have them, beside the clean ones that the weights are scored on: worn by a camera or a file."""

import io

import numpy as np
from PIL import Image, ImageFilter

from ttsr.data.crops import Pixels8
from ttsr.images.resize import SCALE

_FILTERS = (Image.Resampling.BICUBIC, Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.LANCZOS)
_BLUR = 1.6  # largest sigma of a Gaussian blur before the picture is made smaller, in HR pixels
_NOISE = 4.0  # largest sigma of Gaussian noise, in 8-bit levels
_LOWEST_QUALITY, _HIGHEST_QUALITY = 60, 95  # of JPEG
_SHARE = 0.5  # of each degradation but the filter, which is always drawn


def degraded_lr(hr: Pixels8, rng: np.random.Generator) -> Pixels8:
    """The LR picture (H/4, W/4, 3) of an HR crop (H, W, 3) by a random filter, and at random with blur, noise, JPEG."""
    image = Image.fromarray(hr)
    if rng.random() < _SHARE:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, _BLUR)))
    chosen = _FILTERS[int(rng.integers(len(_FILTERS)))]
    lr = np.asarray(image.resize((hr.shape[1] // SCALE, hr.shape[0] // SCALE), chosen))
    if rng.random() < _SHARE:
        lr = (lr + rng.normal(0, rng.uniform(0, _NOISE), lr.shape)).clip(0, 255).round().astype(np.uint8)
    if rng.random() < _SHARE:
        file = io.BytesIO()
        Image.fromarray(lr).save(file, "JPEG", quality=int(rng.integers(_LOWEST_QUALITY, _HIGHEST_QUALITY + 1)))
        lr = np.asarray(Image.open(file))
    return lr
