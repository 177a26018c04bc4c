import io
from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ttsr.data.mining.duplicates import MAX_DIFFERENCE, difference
from ttsr.registration.estimate import find_view, match_descriptors, root_sift
from ttsr.registration.keypoints import Features, find_features

Pixels = NDArray[np.uint8]


@lru_cache
def features_of(pixels: bytes, shape: tuple[int, ...]) -> Features:
    return find_features(np.frombuffer(pixels, np.uint8).reshape(shape))


def differences(first: Pixels, second: Pixels) -> tuple[float, float]:
    features = [features_of(photo.tobytes(), photo.shape) for photo in (first, second)]
    roots = [root_sift(one.key_points["descriptor"]) for one in features]
    view = find_view(features[0], features[1], match_descriptors(roots[0], roots[1]))
    assert view is not None
    return difference(first, second, view), difference(second, first, view.inverse())


def squeezed(photo: Image.Image) -> Image.Image:
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=50)
    return Image.open(file).convert("RGB")


@pytest.mark.parametrize("change", ["squeezed", "smaller", "cut", "turned"])
def test_a_copy_is_known_however_it_was_saved(leuven: Pixels, change: str) -> None:
    photo = Image.fromarray(leuven)
    copies = {
        "squeezed": squeezed(photo),
        "smaller": photo.resize((360, 240), Image.Resampling.LANCZOS),
        "cut": photo.crop((60, 40, 420, 310)),
        "turned": photo.rotate(90, expand=True),
    }
    assert max(differences(leuven, np.array(copies[change]))) < MAX_DIFFERENCE


def test_another_photo_of_the_thing_is_no_copy(aloe: Pixels, aloe_ref: Pixels) -> None:
    assert min(differences(aloe, aloe_ref)) > 1.5 * MAX_DIFFERENCE
