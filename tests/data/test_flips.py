"""Rotating and mirroring."""

import numpy as np
import pytest

from ttsr.data.flips import flip, random_flip


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.bool_])
def test_like_numpy(shape, dtype):
    image = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    for part in (image, image[1:, 2:6]):  # a part of a picture too
        for rotations in range(4):
            expected = np.rot90(part, rotations)
            assert np.array_equal(flip(part, rotations, False), expected)
            assert np.array_equal(flip(part, rotations, True), expected[:, ::-1])
            assert flip(part, rotations, True).flags.c_contiguous and flip(part, rotations, True).dtype == dtype


def test_all_eight_are_drawn():
    rng = np.random.default_rng(0)
    assert {random_flip(rng) for _ in range(100)} == {
        (rotations, mirrored) for rotations in range(4) for mirrored in (False, True)
    }
