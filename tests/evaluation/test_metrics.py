"""PSNR, SSIM and MAE against their formulas."""

import numpy as np
import pytest

from ttsr.evaluation.metrics import mae, psnr, ssim


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


def test_mae_is_a_share_of_the_range() -> None:
    x = np.array([[0, 255], [10, 20]], np.uint8)
    y = np.array([[255, 255], [10, 71]], np.uint8)
    assert mae(x, y) == pytest.approx((1 + 0 + 0 + 0.2) / 4)
    assert mae(x, x) == 0
