"""Metrics of two arrays on the scale [0, 255]: PSNR, SSIM and MAE."""

import math
from typing import Any

import numpy as np

from ttsr.errors import UserError

SSIM_WINDOW = 11
"""Side of the Gaussian window in pixels: sigma 1.5, truncated at 3.5 sigma."""


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
