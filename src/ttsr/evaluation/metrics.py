"""Metrics of two arrays on the scale [0, 255]: PSNR, SSIM, MAE and GMSD."""

import math
from typing import Any

import numpy as np

from ttsr.errors import UserError

SSIM_WINDOW = 11
"""Side of the Gaussian window in pixels: sigma 1.5, truncated at 3.5 sigma."""


# Weights of R, G and B in BT.601's luma of full range.
_LUMA = (0.299, 0.587, 0.114)
_GMSD_C = 170.0
"""The constant of GMSD, for luma on [0, 255]."""


def psnr(target: np.ndarray, prediction: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two arrays of one shape, in dB, pooled over pixels and channels; or infinity."""
    assert target.shape == prediction.shape, f"{target.shape} against {prediction.shape}"
    error = float(np.mean(np.square(target.astype(np.float64) - prediction.astype(np.float64))))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def ssim(target: np.ndarray, prediction: np.ndarray) -> float:
    """Structural similarity (Wang et al., 2004, equation 13) of two (H, W) or (H, W, C), averaged over channels.

    Gaussian window of 11x11 with sigma 1.5, population covariance, and the mean over the positions where the window
    lies inside the image (scikit-image excludes the border of 5 itself).

    Raises:
        UserError: an image is smaller than the window.
    """
    assert target.shape == prediction.shape, f"{target.shape} against {prediction.shape}"
    height, width = target.shape[:2]
    if min(height, width) < SSIM_WINDOW:
        raise UserError(f"SSIM needs at least {SSIM_WINDOW}x{SSIM_WINDOW} pixels, and has {width}x{height}")
    from skimage.metrics import structural_similarity  # not at the top: its import takes a while

    similarity: Any = structural_similarity(
        target.astype(np.float64),
        prediction.astype(np.float64),
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=2 if target.ndim == 3 else None,
    )
    return float(similarity)


def mae(target: np.ndarray, prediction: np.ndarray) -> float:
    """Mean absolute error of two arrays of one shape, as a share of the range of 255: in [0, 1], 0 for equal ones."""
    assert target.shape == prediction.shape, f"{target.shape} against {prediction.shape}"
    return float(np.mean(np.abs(target.astype(np.float64) - prediction.astype(np.float64)))) / 255


def gmsd(target: np.ndarray, prediction: np.ndarray) -> float:
    """Gradient magnitude similarity deviation (Xue et al., 2014): perceptual, 0 for equal images, larger is worse.

    The standard deviation (equation 6) of the similarity of gradients (equation 4) in luma at half the size, whose
    constant of 170 is for [0, 255]. As in its authors' code, blocks of 2x2 are averaged first, the gradients are
    Prewitt's, and zeros surround the image.

    Args:
        target: (H, W) luma, or (H, W, 3) RGB.
        prediction: of the same shape.
    """
    assert target.shape == prediction.shape, f"{target.shape} against {prediction.shape}"
    first, second = (_gradients(_half(_luma(image.astype(np.float64)))) for image in (target, prediction))
    similarity = (2 * first * second + _GMSD_C) / (first**2 + second**2 + _GMSD_C)
    return float(similarity.std())


def _luma(image: np.ndarray) -> np.ndarray:
    return image if image.ndim == 2 else image @ np.array(_LUMA)


def _half(luma: np.ndarray) -> np.ndarray:
    """Means of blocks of 2x2; an odd side is extended by zeros."""
    height, width = luma.shape
    even = np.pad(luma, ((0, height % 2), (0, width % 2)))
    return even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2).mean(axis=(1, 3))


def _gradients(luma: np.ndarray) -> np.ndarray:
    """Magnitudes of Prewitt's gradients, of the same shape."""
    padded = np.pad(luma, 1)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    columns = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    return np.hypot(rows[:, 2:] - rows[:, :-2], columns[2:] - columns[:-2]) / 3
