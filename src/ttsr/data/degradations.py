"""What real references suffer beside another view: blur, noise and JPEG, in the order in which a camera does it."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from ttsr.data.sample import Pixels

_JPEG_QUALITIES = (40, 95)


@dataclass(frozen=True)
class Wear:
    """How much at most, drawn uniformly: sigma of a Gaussian blur in pixels, sigma of noise (of 255); and the share of
    references that go through JPEG."""

    blur: float = 0.0
    noise: float = 0.0
    jpeg: float = 0.0


def wear(image: Pixels, most: Wear, rng: np.random.Generator) -> Pixels:
    """The image (H, W, 3), worn. Nothing is drawn for what is off."""
    if most.blur:
        blur = ImageFilter.GaussianBlur(rng.uniform(0, most.blur))
        image = np.asarray(Image.fromarray(image).filter(blur))
    if most.noise:
        grain = rng.normal(0, rng.uniform(0, most.noise), image.shape)
        image = (image + grain).clip(0, 255).round().astype(np.uint8)
    if most.jpeg and rng.random() < most.jpeg:
        file = io.BytesIO()
        quality = int(rng.integers(_JPEG_QUALITIES[0], _JPEG_QUALITIES[1] + 1))
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        image = np.asarray(Image.open(file))
    return image
