"""NIQE against values of another implementation, and on images whose order of quality is known."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from ttsr.evaluation import niqe
from ttsr.images.reading import read_picture

PAIRS = Path(__file__).parents[2] / "examples" / "pairs"


def photograph(name: str) -> np.ndarray:
    return read_picture(PAIRS / f"{name}_hr.png").in_eight_bits().rgb


# By BasicSR 1.4.2's `niqe`, given rounded luma. It halves images by MATLAB's bicubic filter, which mirrors the border.
@pytest.mark.parametrize(("name", "expected"), [("aloe", 4.12346), ("leuven", 3.79701)])
def test_agrees_with_another_implementation(name: str, expected: float) -> None:
    assert niqe(photograph(name)) == pytest.approx(expected, rel=2e-3)


def test_blur_noise_and_blocks_are_unlike_photographs() -> None:
    rgb = photograph("leuven")
    blurred = rgb[::4, ::4].repeat(4, 0).repeat(4, 1)
    smooth = gaussian_filter(rgb.astype(float), (2, 2, 0))
    noisy = rgb + np.random.default_rng(0).normal(0, 30, rgb.shape)
    assert niqe(rgb) < min(niqe(smooth), niqe(blurred))
    assert niqe(rgb) < niqe(noisy.clip(0, 255))


def test_is_of_rounded_luma() -> None:
    rgb = photograph("aloe")
    luma = (rgb @ np.array([0.299, 0.587, 0.114])).round()
    assert niqe(rgb) == niqe(luma) == niqe(luma.astype(np.uint8))


def test_blocks_start_at_the_top_left() -> None:
    rgb = photograph("aloe")
    height, width = (side // 96 * 96 for side in rgb.shape[:2])
    assert (height, width) != rgb.shape[:2]
    assert niqe(rgb) == niqe(rgb[:height, :width])


@pytest.mark.parametrize("size", [(96, 191), (95, 500), (1, 1)])
def test_fewer_than_two_blocks_have_none(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert math.isnan(niqe(image))


@pytest.mark.filterwarnings("error")
def test_two_blocks_suffice_and_a_flat_image_has_none() -> None:
    assert math.isfinite(niqe(np.random.default_rng(0).integers(0, 256, (96, 192), dtype=np.uint8)))
    assert math.isnan(niqe(np.full((200, 200, 3), 128, np.uint8)))
    half_flat = np.full((192, 192), 128, np.uint8)
    half_flat[:96] = np.random.default_rng(0).integers(0, 256, (96, 192))
    assert math.isfinite(niqe(half_flat))
