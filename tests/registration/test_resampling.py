import numpy as np
import pytest
from numpy.typing import NDArray

from ttsr.geometry import apply, compose, similarity, translation
from ttsr.images.resize import resize_bicubic
from ttsr.registration.resampling import resample

Pixels = NDArray[np.uint8]


def test_the_same_frame_gives_the_reference_back(aloe: Pixels) -> None:
    found = resample(aloe, np.eye(3), (aloe.shape[1], aloe.shape[0]))
    assert found is not None
    np.testing.assert_array_equal(found.to_source, np.eye(3))
    np.testing.assert_array_equal(found.rgb, aloe)
    assert found.mask.all()


def test_whole_pixels_are_moved_exactly(aloe: Pixels) -> None:
    to_reference = translation(40, 24)
    found = resample(aloe, to_reference, (200, 120))
    assert found is not None
    left, top = np.round(apply(found.to_source, np.zeros((1, 2)))[0]).astype(int)
    width = found.rgb.shape[1]
    # The frame and a margin about it, which ends where the reference ends.
    assert (left, top) == (40 - 32, 0) and width == 264
    np.testing.assert_array_equal(found.rgb[:150], aloe[top : top + 150, left : left + width])


def test_rotated_by_a_quarter(aloe: Pixels) -> None:
    height, width = aloe.shape[:2]
    # A reference that shows it rotated by 90 degrees: x to the right becomes down.
    rotated = np.ascontiguousarray(np.rot90(aloe, -1))
    found = resample(rotated, similarity(1, 90, (height, 0)), (width, height))
    assert found is not None
    np.testing.assert_array_equal(found.rgb, aloe)
    assert found.mask.all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_larger_references_are_antialiased(aloe: Pixels, dtype: type) -> None:
    height, width = aloe.shape[:2]
    large = resize_bicubic(aloe.astype(dtype) * (257 if dtype == np.uint16 else 1), 2 * width, 2 * height)
    found = resample(large, np.diag([2.0, 2, 1]), (width, height))
    assert found is not None and found.rgb.dtype == dtype and found.rgb.shape == aloe.shape
    expected = resize_bicubic(large, width, height).astype(float)
    assert np.abs(found.rgb - expected).max() <= 0.012 * np.iinfo(dtype).max


def test_beyond_the_reference_nothing_may_be_matched(aloe: Pixels) -> None:
    height, width = aloe.shape[:2]
    # The reference covers the right half of the frame.
    found = resample(aloe, translation(-width / 2, 0), (width, height))
    assert found is not None
    left = apply(found.to_source, np.zeros((1, 2)))[0, 0]
    inside = left + 4 * np.arange(found.mask.shape[1])
    np.testing.assert_array_equal(found.mask.all(0), (inside >= 0) & (inside + 4 <= width))
    assert resample(aloe, translation(-3 * width, 0), (width, height)) is None


def test_what_lies_beyond_the_horizon_is_left_out(aloe: Pixels) -> None:
    perspective = np.array([[1.0, 0, 0], [0, 1, 0], [4e-3, 0, 1]])
    found = resample(aloe, perspective, (aloe.shape[1], aloe.shape[0]))
    assert found is not None
    y, x = np.nonzero(found.mask)
    points = apply(found.to_source, 4.0 * np.stack([x, y], 1) + 2)
    assert (points >= 0).all() and (points <= [aloe.shape[1], aloe.shape[0]]).all()


def test_small_references_are_enlarged_by_what_is_given(aloe: Pixels) -> None:
    height, width = aloe.shape[:2]
    small = resize_bicubic(aloe, width // 4, height // 4)
    seen = []

    def enlarge(part: Pixels) -> Pixels:
        seen.append(part.shape)
        return aloe

    found = resample(small, np.diag([0.25, 0.25, 1]), (width, height), enlarge)
    assert found is not None and seen == [small.shape]
    np.testing.assert_array_equal(found.rgb, aloe)
    unused = resample(aloe, np.diag([0.9, 0.9, 1]), (width, height), enlarge)
    assert unused is not None and len(seen) == 1


def test_the_map_back_is_that_of_the_pixels(aloe: Pixels) -> None:
    to_reference = compose(translation(30, 20), similarity(0.8, 15))
    found = resample(aloe, to_reference, (240, 160))
    assert found is not None
    y, x = np.nonzero(found.mask)
    points = apply(found.to_source, 4.0 * np.stack([x, y], 1) + 2)
    means = found.rgb.reshape(found.mask.shape[0], 4, found.mask.shape[1], 4, 3).mean((1, 3))[y, x]
    there = aloe[points[:, 1].astype(int), points[:, 0].astype(int)].astype(float)
    assert np.corrcoef(means.ravel(), there.ravel())[0, 1] > 0.85
