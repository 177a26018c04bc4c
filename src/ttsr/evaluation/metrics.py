"""PSNR and SSIM of two arrays on the scale [0, 255]."""

import math
from collections.abc import Callable
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
        UserError: an image is smaller than the window, or scikit-image is not installed.
    """
    assert target.shape == prediction.shape, f"{target.shape} against {prediction.shape}"
    height, width = target.shape[:2]
    if min(height, width) < SSIM_WINDOW:
        raise UserError(f"SSIM needs at least {SSIM_WINDOW}x{SSIM_WINDOW} pixels, and has {width}x{height}")
    similarity = scikit_image_ssim()(
        target.astype(np.float64),
        prediction.astype(np.float64),
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=2 if target.ndim == 3 else None,
    )
    return float(similarity)


def scikit_image_ssim() -> Callable[..., Any]:
    """The function that `ssim` computes with; called early to learn whether scikit-image is installed.

    Raises:
        UserError: scikit-image is not installed.
    """
    try:
        from skimage.metrics import structural_similarity
    except ImportError as error:
        raise UserError("scoring needs scikit-image", 'pip install "ttsr[train]"') from error
    return structural_similarity
