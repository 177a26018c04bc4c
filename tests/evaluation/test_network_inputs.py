"""Sizes and degradation of the network's inputs."""

import numpy as np
import pytest

from ttsr.evaluation.network_inputs import NetworkInputs, prepare_inputs, stack_references
from ttsr.images.resize import blur_by_resize, downscale4, upscale4


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 256, (height, width, 3), np.uint8)


def assert_degraded(inputs: NetworkInputs) -> None:
    assert np.array_equal(inputs.lr_up, upscale4(inputs.lr))
    for reference, blurred in zip(inputs.references, inputs.ref_blur, strict=True):
        assert np.array_equal(blurred, blur_by_resize(reference))


def test_own_size_only_crops_to_multiples_of_4() -> None:
    hr, reference = picture(20, 24), picture(33, 14, 1)
    inputs = prepare_inputs(hr, [reference], "own size")
    assert np.array_equal(inputs.lr, downscale4(hr))
    assert np.array_equal(inputs.references[0], reference[:32, :12])
    assert_degraded(inputs)


def test_hr_size_crops_and_zero_pads() -> None:
    hr, reference = picture(20, 24), picture(33, 14, 1)
    inputs = prepare_inputs(hr, [reference], "HR size")
    (used,) = inputs.references
    assert used.shape == hr.shape
    # All columns are kept: MMagic does not crop the reference to multiples of 4 first.
    assert np.array_equal(used[:, :14], reference[:20])
    assert not used[:, 14:].any()
    assert np.array_equal(inputs.lr, downscale4(hr))
    assert_degraded(inputs)


def test_both_padded_to_the_larger_of_each_side() -> None:
    hr, reference = picture(20, 24), picture(33, 14, 1)
    inputs = prepare_inputs(hr, [reference], "both padded")
    (used,) = inputs.references
    assert used.shape == (32, 24, 3)
    assert np.array_equal(used[:32, :12], reference[:32, :12])
    assert not used[:, 12:].any()
    padded = np.zeros((32, 24, 3), np.uint8)
    padded[:20] = hr
    assert np.array_equal(inputs.lr, downscale4(padded))
    assert_degraded(inputs)


def test_no_reference() -> None:
    hr = picture(20, 24)
    for sizing in ("own size", "HR size", "both padded"):
        inputs = prepare_inputs(hr, [], sizing)
        assert inputs.references == inputs.ref_blur == ()
        assert np.array_equal(inputs.lr, downscale4(hr))


def test_stacked_on_squares_of_500() -> None:
    first, second = picture(30, 41), picture(500, 7, 1)
    stacked = stack_references([first, second])
    assert stacked.shape == (1000, 500, 3)
    assert np.array_equal(stacked[:30, :41], first)
    assert np.array_equal(stacked[500:, :7], second)
    assert np.count_nonzero(stacked) == first.size + second.size


@pytest.mark.parametrize(("largest", "side"), [(500, 500), (501, 504), (504, 504)])
def test_squares_grow_with_the_largest_reference(largest: int, side: int) -> None:
    assert stack_references([picture(8, 8), picture(4, largest)]).shape == (2 * side, side, 3)
