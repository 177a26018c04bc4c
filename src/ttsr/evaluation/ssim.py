"""Structural similarity (Wang et al., 2004)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ttsr.errors import UserError

WINDOW = 11
"""The Gaussian window's side in pixels: sigma 1.5, cut at 3.5 sigma."""


def ssim(target: np.ndarray, prediction: np.ndarray) -> float:
    """SSIM of two (H, W) or (H, W, C) arrays on the scale [0, 255]: the mean over channels.

    The published formula: Gaussian window of 11x11 with sigma 1.5, population covariance, and the mean over
    the positions at which the window lies inside the image (scikit-image leaves the border of 5 out itself).

    Raises:
        UserError: an image smaller than the window, or scikit-image is not installed.
    """
    assert target.shape == prediction.shape, f"{target.shape} against {prediction.shape}"
    if min(target.shape[:2]) < WINDOW:
        height, width = target.shape[:2]
        raise UserError(f"SSIM needs {WINDOW}x{WINDOW} pixels at least, and has {width}x{height} to score")
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
    """What `ssim` computes with, to see early that it is there.

    Raises:
        UserError: scikit-image is not installed.
    """
    try:
        from skimage.metrics import structural_similarity
    except ImportError as error:
        raise UserError('scoring needs scikit-image: pip install "ttsr[train]"') from error
    return structural_similarity
