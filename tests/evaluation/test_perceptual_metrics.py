"""GMSD and HaarPSI against their formulas."""

import numpy as np
import pytest
from scipy.signal import convolve2d

from ttsr.evaluation.metrics import psnr
from ttsr.evaluation.perceptual_metrics import gmsd, haarpsi


def gmsd_by_the_formula(x: np.ndarray, y: np.ndarray) -> float:
    """Xue et al. 2014, equations 3 to 6, pixel by pixel; outside, and beside an odd side, there are zeros."""

    def at(image: np.ndarray, row: int, column: int) -> float:
        inside = 0 <= row < image.shape[0] and 0 <= column < image.shape[1]
        return float(image[row, column]) if inside else 0.0

    def magnitudes(image: np.ndarray) -> np.ndarray:
        height, width = (-(-side // 2) for side in image.shape)
        places = [(row, column) for row in range(height) for column in range(width)]
        small = np.array([sum(at(image, 2 * r + i, 2 * c + j) for i in (0, 1) for j in (0, 1)) / 4 for r, c in places])
        small = small.reshape(height, width)
        step = (-1, 0, 1)
        across = [sum(at(small, r + i, c + 1) - at(small, r + i, c - 1) for i in step) / 3 for r, c in places]
        down = [sum(at(small, r + 1, c + j) - at(small, r - 1, c + j) for j in step) / 3 for r, c in places]
        return np.sqrt(np.square(across) + np.square(down))

    first, second = magnitudes(x), magnitudes(y)
    similarity = [(2 * a * b + 170) / (a * a + b * b + 170) for a, b in zip(first, second, strict=True)]
    mean = sum(similarity) / len(similarity)
    return float(np.sqrt(sum((value - mean) ** 2 for value in similarity) / len(similarity)))


@pytest.mark.parametrize("shape", [(14, 18), (13, 17)])
def test_gmsd_is_the_published_formula(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    x = rng.uniform(0, 255, shape)
    y = x + rng.normal(0, 20, shape)
    assert gmsd(x, y) == pytest.approx(gmsd_by_the_formula(x, y), abs=1e-12)
    assert gmsd(x, y) == gmsd(y, x)


def test_gmsd_of_colour_is_that_of_luma() -> None:
    """BT.601's 0.299, 0.587 and 0.114."""
    rng = np.random.default_rng(3)
    x, y = rng.integers(0, 256, (2, 15, 13, 3), np.uint8)
    weights = np.array([0.299, 0.587, 0.114])
    assert gmsd(x, y) == pytest.approx(gmsd(x.astype(float) @ weights, y.astype(float) @ weights))


def test_gmsd_prefers_a_brighter_picture_to_a_blurred_one() -> None:
    """Unlike PSNR: a constant offset leaves gradients as they are, but for those at the picture's edge."""
    x = np.random.default_rng(4).uniform(30, 200, (64, 64))
    x = (x + np.roll(x, 1, 0) + np.roll(x, 1, 1)) / 3
    blurred, brighter = (x + np.roll(x, 2, 0) + np.roll(x, 2, 1)) / 3, x + 30
    assert psnr(x, brighter) < psnr(x, blurred)
    assert gmsd(x, brighter) < gmsd(x, blurred) / 2
    assert gmsd(x, x) == 0


def convolved(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """MATLAB's `conv2(image, kernel, "same")`, which of an even kernel keeps the later of the two middle places."""
    height, width = image.shape
    top, left = (side // 2 for side in kernel.shape)
    return convolve2d(image, kernel)[top : top + height, left : left + width]


def haarpsi_by_the_formula(x: np.ndarray, y: np.ndarray) -> float:
    """Reisenhofer et al. 2018, equations 10 to 12 and 15, by convolutions with the wavelets themselves."""
    c, alpha = 30, 4.2
    mean = np.full((2, 2), 1 / 4)
    in_colour = x.ndim == 3
    luma, chroma = np.array([0.299, 0.587, 0.114]), np.array([[0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])

    def halved(image: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return convolved(image @ weights if in_colour else image, mean)[::2, ::2]

    def magnitudes(image: np.ndarray, scale: int, *, upright: bool) -> np.ndarray:
        wavelet = np.full((2**scale, 2**scale), 2.0**-scale)
        wavelet[: 2 ** (scale - 1)] *= -1
        return np.abs(convolved(image, wavelet.T if upright else wavelet))

    def similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (2 * a * b + c) / (a * a + b * b + c)

    pair = [halved(image, luma) for image in (x, y)]
    similarities, weights = [], []
    for upright in (False, True):
        coarse = [magnitudes(image, 3, upright=upright) for image in pair]
        weights.append(np.maximum(*coarse))
        both = [similarity(*(magnitudes(image, scale, upright=upright) for image in pair)) for scale in (1, 2)]
        similarities.append(np.mean(both, axis=0))
    if in_colour:
        axes = [[np.abs(convolved(halved(image, axis), mean)) for image in (x, y)] for axis in chroma]
        similarities.append(np.mean([similarity(*axis) for axis in axes], axis=0))
        weights.append(np.mean(weights, axis=0))
    logistic = 1 / (1 + np.exp(-alpha * np.array(similarities)))
    share = np.average(logistic, weights=np.array(weights))
    return float((np.log(share / (1 - share)) / alpha) ** 2)


@pytest.mark.parametrize("shape", [(14, 18), (13, 17), (24, 30, 3), (13, 17, 3), (5, 4, 3)])
def test_haarpsi_is_the_published_formula(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(5)
    x = rng.uniform(0, 255, shape)
    y = x + rng.normal(0, 20, shape)
    assert haarpsi(x, y) == pytest.approx(haarpsi_by_the_formula(x, y), abs=1e-12)
    assert haarpsi(x, y) == pytest.approx(haarpsi(y, x), abs=1e-12)
    assert haarpsi(x, x) == pytest.approx(1)


def test_haarpsi_of_an_edge_that_vanishes() -> None:
    """By hand: a bright pixel against nothing has each wavelet's magnitude on its support, and 0 on the other side."""
    x = np.zeros((64, 64))
    x[32:34, 32:34] = 240  # one pixel of 240 once halved: wavelets of 120, 60 and 30 on 4, 16 and 64 places
    fine, middle, none = 30 / (120**2 + 30), 30 / (60**2 + 30), 1.0
    # Of the 64 places with a weight, 4 see both smaller wavelets, 12 more the one of 4x4, and 48 neither.
    similarities = [(fine + middle) / 2] * 4 + [(none + middle) / 2] * 12 + [none] * 48
    share = np.mean([1 / (1 + np.exp(-4.2 * s)) for s in similarities])
    assert haarpsi(x, np.zeros((64, 64))) == pytest.approx((np.log(share / (1 - share)) / 4.2) ** 2)
    assert haarpsi(np.zeros((64, 64)), np.zeros((64, 64))) == 1


def test_haarpsi_falls_with_blur_noise_and_colour() -> None:
    rng = np.random.default_rng(6)
    x = rng.uniform(30, 200, (64, 64, 3))
    x = (x + np.roll(x, 1, 0) + np.roll(x, 1, 1)) / 3
    blurred = (x + np.roll(x, 2, 0) + np.roll(x, 2, 1)) / 3
    noisy = [x + rng.normal(0, sigma, x.shape) for sigma in (5, 20)]
    tinted = x + np.array([30, 0, -30])
    assert 1 > haarpsi(x, noisy[0]) > haarpsi(x, noisy[1]) > 0
    assert haarpsi(x, blurred) < haarpsi(x, noisy[0])
    assert haarpsi(x, tinted) < haarpsi(x @ [0.299, 0.587, 0.114], tinted @ [0.299, 0.587, 0.114])
