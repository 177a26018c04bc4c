import numpy as np
import pytest
from numpy.typing import NDArray

from ttsr.images.resize import downscale4
from ttsr.inference.colour_consistency import keep_colours


def block_means(sr: NDArray, lr: NDArray) -> NDArray:
    """Deviations of the means of all blocks of 64x64 LR pixels, at every eighth pixel, on the scale of 8 bits."""
    cells = sr.astype(float).reshape(lr.shape[0], 4, lr.shape[1], 4, 3).mean((1, 3)) - lr
    side = [min(64, length) for length in lr.shape[:2]]
    found = [
        cells[y : y + side[0], x : x + side[1]].mean((0, 1))
        for y in range(0, lr.shape[0] - side[0] + 1, 8)
        for x in range(0, lr.shape[1] - side[1] + 1, 8)
    ]
    return np.array(found) * 255 / np.iinfo(sr.dtype).max


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_shift_is_corrected(aloe: NDArray[np.uint8], dtype: type) -> None:
    factor = 257 if dtype == np.uint16 else 1
    sr = aloe.astype(dtype) * factor
    lr = downscale4(sr)
    x = np.linspace(-8, 12, sr.shape[1])[None, :, None] * np.array([1, 0.5, -1]) * factor
    shifted = np.clip(sr + x, 0, np.iinfo(dtype).max).astype(dtype)
    assert np.abs(block_means(shifted, lr)).max() > 5
    corrected = keep_colours(shifted, lr)
    assert np.abs(block_means(corrected, lr)).max() < 1
    # What is fine stays: neighbours differ as before.
    before, after = np.diff(shifted.astype(float), axis=0), np.diff(corrected.astype(float), axis=0)
    assert np.abs(before - after).mean() < factor


def test_nothing_is_done_without_need(aloe: NDArray[np.uint8]) -> None:
    assert keep_colours(aloe, downscale4(aloe)) is aloe


@pytest.mark.parametrize("size", [(1, 1), (3, 70), (130, 2)])
def test_small_pictures(size: tuple[int, int]) -> None:
    lr = np.full((*size, 3), 100, np.uint8)
    sr = np.full((4 * size[0], 4 * size[1], 3), 110, np.uint8)
    np.testing.assert_allclose(keep_colours(sr, lr), 100, atol=1)
