import io
from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ttsr.data.mining.crop_extraction import MAX_DIFFERENCE, difference
from ttsr.registration import Keypoints, find_keypoints, register

Pixels = NDArray[np.uint8]


@lru_cache
def keypoints_of(pixels: bytes, shape: tuple[int, ...]) -> Keypoints:
    return find_keypoints(np.frombuffer(pixels, np.uint8).reshape(shape))


def differences(first: Pixels, second: Pixels) -> tuple[float, float]:
    registration = register(*(keypoints_of(photo.tobytes(), photo.shape) for photo in (first, second)))
    assert registration is not None
    return difference(first, second, registration), difference(second, first, registration.inverse())


def recompressed(photo: Image.Image) -> Image.Image:
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=50)
    return Image.open(file).convert("RGB")


@pytest.mark.parametrize("change", ["recompressed", "smaller", "cropped", "rotated"])
def test_a_copy_is_recognized_however_it_was_saved(leuven: Pixels, change: str) -> None:
    photo = Image.fromarray(leuven)
    copies = {
        "recompressed": recompressed(photo),
        "smaller": photo.resize((360, 240), Image.Resampling.LANCZOS),
        "cropped": photo.crop((60, 40, 420, 310)),
        "rotated": photo.rotate(90, expand=True),
    }
    assert max(differences(leuven, np.array(copies[change]))) < MAX_DIFFERENCE


def test_another_photo_of_the_thing_is_no_copy(aloe: Pixels, aloe_ref: Pixels) -> None:
    assert min(differences(aloe, aloe_ref)) > 1.5 * MAX_DIFFERENCE
