"""Degradations of references beside another view: blur, noise and JPEG, in the order in which a camera causes them."""

import io

import numpy as np
from PIL import Image, ImageFilter

from ttsr.data.crops import Pixels8
from ttsr.data.pair_options import PhotosOptions


def degrade(image: Pixels8, limits: PhotosOptions, rng: np.random.Generator) -> Pixels8:
    """A degraded copy of an (H, W, 3) uint8 image. Nothing is drawn for degradations that are off.

    The `blur` and `noise` of `limits` are the largest strengths, drawn uniformly from 0 on; `jpeg` is a probability.
    """
    if limits.blur:
        blur = ImageFilter.GaussianBlur(rng.uniform(0, limits.blur))
        image = np.asarray(Image.fromarray(image).filter(blur))
    if limits.noise:
        noise = rng.normal(0, rng.uniform(0, limits.noise), image.shape)
        image = (image + noise).clip(0, 255).round().astype(np.uint8)
    if limits.jpeg and rng.random() < limits.jpeg:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=int(rng.integers(40, 96)))
        image = np.asarray(Image.open(file))
    return image
