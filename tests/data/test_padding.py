"""A small reference brought to size, in both orders, against arrays made by hand."""

import numpy as np
import pytest
from PIL import Image

from ttsr.data.padding import fit_reference
from ttsr.images.resize import blur_by_resize

BICUBIC = Image.Resampling.BICUBIC


@pytest.fixture
def reference() -> np.ndarray:
    return np.random.default_rng(0).integers(100, 256, (19, 24, 3), dtype=np.uint8)


def test_degrade_then_pad_blurs_the_reference_at_its_own_size(reference: np.ndarray) -> None:
    ref, blurred, mask = fit_reference(reference, 32, "degrade-then-pad")
    small = Image.fromarray(reference).resize((6, 4), BICUBIC)  # 24 and 19 pixels, the quarter rounded down
    expected = np.zeros((32, 32, 3), np.uint8)
    expected[:19, :24] = np.asarray(small.resize((24, 19), BICUBIC))
    assert np.array_equal(blurred, expected)
    assert np.array_equal(ref[:19, :24], reference) and not ref[19:].any() and not ref[:, 24:].any()
    assert mask.shape == (8, 8) and mask[:4, :6].all() and mask.sum() == 24


def test_pad_then_degrade_blurs_the_edge_of_the_padding_too(reference: np.ndarray) -> None:
    ref, blurred, mask = fit_reference(reference, 32, "pad-then-degrade")
    padded = np.zeros((32, 32, 3), np.uint8)
    padded[:19, :24] = reference
    small = Image.fromarray(padded).resize((8, 8), BICUBIC)
    assert np.array_equal(ref, padded)
    assert np.array_equal(blurred, np.asarray(small.resize((32, 32), BICUBIC)))
    assert blurred[19, :24].any()  # the picture bleeds into its padding
    assert mask.sum() == 24


@pytest.mark.parametrize("order", ["degrade-then-pad", "pad-then-degrade"])
def test_of_a_larger_reference_the_top_left_is_kept(order, reference: np.ndarray) -> None:
    ref, blurred, mask = fit_reference(reference, 16, order)
    assert np.array_equal(ref, reference[:16, :16])
    assert np.array_equal(blurred, blur_by_resize(reference[:16, :16]))
    assert mask.all()
