import numpy as np
import pytest

from ttsr.registration.colour import apply_colours, fit_colours


def test_gain_and_offset_are_found_among_wrong_matches() -> None:
    rng = np.random.default_rng(0)
    reference = rng.random((500, 3))
    true = np.array([[0.6, 0.1], [1.2, -0.05], [0.9, 0.0]])
    lr = reference * true[:, 0] + true[:, 1] + rng.normal(0, 0.002, (500, 3))
    lr[:80] = rng.random((80, 3))  # matched wrongly
    found = fit_colours(lr, reference)
    assert found is not None
    np.testing.assert_allclose(found, true, atol=0.02)


def test_of_a_flat_colour_only_the_offset_is_told() -> None:
    found = fit_colours(np.full((60, 3), 0.5), np.full((60, 3), 0.3))
    assert found is not None
    np.testing.assert_allclose(found, [[1, 0.2]] * 3)


@pytest.mark.parametrize("gain", [0.1, 10.0])
def test_no_fit(gain: float) -> None:
    reference = np.random.default_rng(0).random((200, 3))
    assert fit_colours(gain * reference, reference) is None
    assert fit_colours(reference[:20], reference[:20]) is None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_applied(dtype: type) -> None:
    largest = np.iinfo(dtype).max
    rgb = np.random.default_rng(0).integers(0, largest, (5, 7, 3), dtype=dtype, endpoint=True)
    colours = np.array([[0.5, 0.1], [1, 0], [3, -0.5]])
    expected = np.rint(np.clip(rgb / largest * colours[:, 0] + colours[:, 1], 0, 1) * largest)
    applied = apply_colours(rgb, colours)
    assert applied.dtype == dtype
    np.testing.assert_allclose(applied, expected, atol=1)
    np.testing.assert_array_equal(applied[..., 1], rgb[..., 1])
