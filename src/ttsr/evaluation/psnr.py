"""Peak signal-to-noise ratio."""

import math

import numpy as np


def psnr(target: np.ndarray, prediction: np.ndarray) -> float:
    """PSNR in dB of two arrays of one shape on the scale [0, 255], pooled over pixels and channels.

    Equal arrays give infinity.
    """
    assert target.shape == prediction.shape, f"{target.shape} against {prediction.shape}"
    error = float(np.mean(np.square(target.astype(np.float64) - prediction.astype(np.float64))))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)
