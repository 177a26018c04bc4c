"""Perceptual metrics that need no trained weights, of two arrays on the scale [0, 255]: GMSD and HaarPSI."""

from collections.abc import Sequence

import numpy as np

# Weights of R, G and B: BT.601's luma of full range, and YIQ's two axes of chroma, as HaarPSI's authors round them.
_LUMA = (0.299, 0.587, 0.114)
_CHROMA = ((0.596, -0.274, -0.322), (0.211, -0.523, 0.312))
_GMSD_C = 170.0
"""The constant of GMSD, for luma on [0, 255]."""
_HAARPSI_C, _HAARPSI_ALPHA = 30.0, 4.2
"""The two constants of HaarPSI, for values on [0, 255]."""


def gmsd(target: np.ndarray, prediction: np.ndarray) -> float:
    """Gradient magnitude similarity deviation (Xue et al., 2014): 0 for equal images, larger is worse.

    The standard deviation (equation 6) of the similarity of gradients (equation 4) in luma at half the size, whose
    constant of 170 is for [0, 255]. As in its authors' code, blocks of 2x2 are averaged first, the gradients are
    Prewitt's, and zeros surround the image.

    Args:
        target: (H, W) luma, or (H, W, 3) RGB, whose luma is compared.
        prediction: of the same shape.
    """
    assert target.shape == prediction.shape, f"{target.shape} against {prediction.shape}"
    pair = [_gradients(_luma(_half(image))) for image in (target, prediction)]
    return float(_similarity(pair, _GMSD_C).std())


def haarpsi(target: np.ndarray, prediction: np.ndarray) -> float:
    """Haar wavelet-based perceptual similarity index (Reisenhofer et al., 2018): in [0, 1], 1 for equal images.

    Images are halved by the mean of blocks of 2x2. Magnitudes of the Haar wavelets of 2x2 and 4x4 pixels are compared,
    horizontal and vertical ones apart, and weighted by the larger magnitude of the wavelet of 8x8 (equations 10 to 12).
    Colour adds the similarity of both axes of chroma, weighted by the mean of the other two weights (equation 15).
    Zeros surround the image, and windows of even size extend to the right and bottom, as in the authors' code.

    Args:
        target: (H, W) luma, or (H, W, 3) RGB, compared in luma and chroma.
        prediction: of the same shape.
    """
    assert target.shape == prediction.shape, f"{target.shape} against {prediction.shape}"
    images = [_half(image) for image in (target, prediction)]
    lumas = [_luma(image) for image in images]
    similarities, weights = [], []
    for axis in (0, 1):
        fine, middle, coarse = ([_haar(luma, scale, axis) for luma in lumas] for scale in (1, 2, 3))
        similarities.append((_similarity(fine) + _similarity(middle)) / 2)
        weights.append(np.maximum(*coarse))
    if target.ndim == 3:
        chromas = [[np.abs(_box(image @ np.array(axis), 2) / 4) for image in images] for axis in _CHROMA]
        similarities.append(sum(_similarity(pair) for pair in chromas) / 2)
        weights.append(sum(weights) / 2)
    total = float(np.sum(weights))
    if total == 0:  # two images of zeros
        return 1.0
    mean = float(np.sum(_sigmoid(np.array(similarities)) * weights)) / total
    return float(np.log(mean / (1 - mean)) / _HAARPSI_ALPHA) ** 2


def _luma(image: np.ndarray) -> np.ndarray:
    return image if image.ndim == 2 else image @ np.array(_LUMA)


def _half(image: np.ndarray) -> np.ndarray:
    """Means of blocks of 2x2 in float64; an odd side is extended by zeros."""
    height, width = image.shape[:2]
    even = np.pad(image.astype(np.float64), ((0, height % 2), (0, width % 2), *((0, 0),) * (image.ndim - 2)))
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4


def _gradients(luma: np.ndarray) -> np.ndarray:
    """Magnitudes of Prewitt's gradients, of the same shape."""
    padded = np.pad(luma, 1)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    columns = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    return np.hypot(rows[:, 2:] - rows[:, :-2], columns[2:] - columns[:-2]) / 3


def _similarity(pair: Sequence[np.ndarray], constant: float = _HAARPSI_C) -> np.ndarray:
    first, second = pair
    return (2 * first * second + constant) / (first**2 + second**2 + constant)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-_HAARPSI_ALPHA * values))


def _haar(luma: np.ndarray, scale: int, axis: int) -> np.ndarray:
    """Magnitudes of the Haar wavelet of side 2^scale whose halves follow each other along `axis`, of the same shape."""
    half = 2 ** (scale - 1)
    sums = np.moveaxis(_moving_sum(luma, 2 * half, 1 - axis, half), axis, 0)
    padded = np.pad(sums, ((half - 1, half), (0, 0)))
    halves = _windows(padded, half)
    return np.moveaxis(np.abs(halves[half:] - halves[:-half]), 0, axis) / 2**scale


def _box(image: np.ndarray, side: int) -> np.ndarray:
    """Sums of windows of `side` squared, of the same shape."""
    return _moving_sum(_moving_sum(image, side, 0, side // 2), side, 1, side // 2)


def _moving_sum(image: np.ndarray, length: int, axis: int, after: int) -> np.ndarray:
    """Sums of `length` values along an axis, `after` of them behind each place; zeros surround the image."""
    along = np.moveaxis(image, axis, 0)
    return np.moveaxis(_windows(np.pad(along, ((length - 1 - after, after), (0, 0))), length), 0, axis)


def _windows(rows: np.ndarray, length: int) -> np.ndarray:
    """Sums of each `length` successive rows."""
    sums = np.pad(rows.cumsum(axis=0), ((1, 0), (0, 0)))
    return sums[length:] - sums[:-length]
