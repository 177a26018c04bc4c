"""Degradations of references beside another view: blur, noise and JPEG, in the order in which a camera causes them."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from ttsr.data.crops import Pixels

_JPEG_QUALITIES = (40, 95)


@dataclass(frozen=True)
class Degradations:
    """How strong degradations may be; the strength of each is drawn uniformly from 0 on.

    Attributes:
        blur: largest sigma of a Gaussian blur, in pixels.
        noise: largest sigma of Gaussian noise, in 8-bit levels.
        jpeg: share of references that are compressed as JPEG of quality 40 to 95.
    """

    blur: float = 0.0
    noise: float = 0.0
    jpeg: float = 0.0


def degrade(image: Pixels, limits: Degradations, rng: np.random.Generator) -> Pixels:
    """A degraded copy of an (H, W, 3) uint8 image. Nothing is drawn for degradations that are off."""
    if limits.blur:
        blur = ImageFilter.GaussianBlur(rng.uniform(0, limits.blur))
        image = np.asarray(Image.fromarray(image).filter(blur))
    if limits.noise:
        noise = rng.normal(0, rng.uniform(0, limits.noise), image.shape)
        image = (image + noise).clip(0, 255).round().astype(np.uint8)
    if limits.jpeg and rng.random() < limits.jpeg:
        file = io.BytesIO()
        quality = int(rng.integers(_JPEG_QUALITIES[0], _JPEG_QUALITIES[1] + 1))
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        image = np.asarray(Image.open(file))
    return image
