"""How much there is to see in a crop; rotating and mirroring."""

import numpy as np
import pytest

from ttsr.data.crops import detail, flip, random_flip


def test_it_is_the_mean_difference_of_neighbours() -> None:
    assert detail(np.full((5, 7, 3), 250, np.uint8)) == 0
    columns = np.tile(np.array([0, 255], np.uint8), (6, 4))  # no overflow, neither up nor down
    assert detail(columns) == pytest.approx(255 / 2)
    assert detail(columns.T) == pytest.approx(255 / 2)
    assert detail(np.stack([columns] * 3, -1)) == pytest.approx(255 / 2)


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
