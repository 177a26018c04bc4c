"""PSNR, SSIM, MAE and GMSD against their formulas."""

import numpy as np
import pytest

from ttsr.evaluation.metrics import gmsd, mae, psnr, ssim


def ssim_by_the_formula(x: np.ndarray, y: np.ndarray) -> float:
    """Wang et al. 2004, equation 13, window by window."""
    g = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(g, g) / g.sum() ** 2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for i in range(x.shape[0] - 10):
        for j in range(x.shape[1] - 10):
            a, b = x[i : i + 11, j : j + 11], y[i : i + 11, j : j + 11]
            ma, mb = (window * a).sum(), (window * b).sum()
            va, vb = (window * (a - ma) ** 2).sum(), (window * (b - mb) ** 2).sum()
            cov = (window * (a - ma) * (b - mb)).sum()
            values.append((2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))
    return float(np.mean(values))


def test_ssim_is_the_published_formula() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 255, (14, 17))
    y = x + rng.normal(0, 20, x.shape)
    assert ssim(x, y) == pytest.approx(ssim_by_the_formula(x, y), abs=1e-9)


def test_ssim_of_colour_is_the_mean_over_channels() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 255, (2, 15, 13, 3))
    assert ssim(x, y) == pytest.approx(np.mean([ssim(x[..., c], y[..., c]) for c in range(3)]))


def test_psnr_of_a_known_error() -> None:
    assert psnr(np.zeros((4, 4)), np.full((4, 4), 25.5)) == pytest.approx(20)


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


def test_mae_is_a_share_of_the_range() -> None:
    x = np.array([[0, 255], [10, 20]], np.uint8)
    y = np.array([[255, 255], [10, 71]], np.uint8)
    assert mae(x, y) == pytest.approx((1 + 0 + 0 + 0.2) / 4)
    assert mae(x, x) == 0
