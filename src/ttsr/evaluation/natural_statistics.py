"""NIQE (Mittal et al., 2013): how unlike undistorted photographs an image is, without a ground truth."""

import math
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

_BLOCK = 96
"""Side of the blocks that statistics are taken of, in pixels; half of it at half the size."""
_PHOTOGRAPHS = Path(__file__).with_name("files") / "niqe_photographs.npz"
"""Mean (36,) and covariance (36, 36) of the statistics of undistorted photographs, as NIQE's authors publish them."""
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
_LUMA = (0.299, 0.587, 0.114)


def niqe(image: np.ndarray) -> float:
    """Natural image quality evaluator: the distance of an image's statistics from those of photographs, less is better.

    It judges what looks like a photograph, not what is true: invented detail lowers it, and a photograph of flat
    areas is not at 0. As in its authors' code, luma is rounded, blocks of 96x96 are taken from the top left, and
    neighbours wrap around within a block.

    Args:
        image: (H, W) luma, or (H, W, 3) RGB, on the scale [0, 255].

    Returns:
        The distance (equation 10), or NaN where fewer than two blocks fit in, which have no covariance.
    """
    luma = (image if image.ndim == 2 else image.astype(np.float64) @ np.array(_LUMA)).round()
    rows, columns = (side // _BLOCK for side in luma.shape)
    if rows * columns < 2:
        return math.nan
    luma = luma[: rows * _BLOCK, : columns * _BLOCK].astype(np.float32)
    half = np.array(Image.fromarray(luma).resize((luma.shape[1] // 2, luma.shape[0] // 2), Image.Resampling.BICUBIC))
    per_scale = [
        [_statistics(block) for block in _blocks(_normalised(scaled), side)]
        for scaled, side in ((luma, _BLOCK), (half, _BLOCK // 2))
    ]
    statistics = np.concatenate(per_scale, axis=1)
    complete = statistics[np.isfinite(statistics).all(axis=1)]
    if len(complete) < 2:
        return math.nan
    mean, covariance = _of_photographs()
    away = np.nanmean(statistics, axis=0) - mean
    return math.sqrt(away @ np.linalg.pinv((covariance + np.cov(complete, rowvar=False)) / 2) @ away)


@cache
def _of_photographs() -> tuple[np.ndarray, np.ndarray]:
    with np.load(_PHOTOGRAPHS) as arrays:
        return arrays["mean"], arrays["covariance"]


def _normalised(luma: np.ndarray) -> np.ndarray:
    """Luma minus its local mean, over its local deviation plus 1 (equations 1 to 3)."""
    from scipy.ndimage import correlate1d  # not at the top: its import takes a while

    offsets = np.arange(-3, 4)
    window = np.exp(-(offsets**2) / (2 * (7 / 6) ** 2))
    window /= window.sum()

    def smoothed(values: np.ndarray) -> np.ndarray:
        return correlate1d(correlate1d(values, window, 0, mode="nearest"), window, 1, mode="nearest")

    exact = luma.astype(np.float64)
    mean = smoothed(exact)
    return (exact - mean) / (np.sqrt(np.abs(smoothed(exact**2) - mean**2)) + 1)


def _blocks(values: np.ndarray, side: int) -> np.ndarray:
    """Blocks of side x side that tile the values: (number, side, side)."""
    rows, columns = (length // side for length in values.shape)
    return values.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)


def _statistics(block: np.ndarray) -> list[float]:
    """The 18 statistics of a block: two of its values, and four of the products of neighbours in each direction."""
    shape, left, right = _asymmetric_gaussian(block)
    statistics = [shape, (left + right) / 2]
    for shift in _NEIGHBOURS:
        shape, left, right = _asymmetric_gaussian(block * np.roll(block, shift, (0, 1)))
        mean = (right - left) * math.gamma(2 / shape) / math.gamma(1 / shape)
        statistics += [shape, mean, left, right]
    return statistics


def _asymmetric_gaussian(values: np.ndarray) -> tuple[float, float, float]:
    """Shape and the two scales of the asymmetric generalised Gaussian that has the moments of the values (equation 7).

    The scales are NaN where no value is below zero, or none above.
    """
    shapes, ratios = _moment_ratios()
    with np.errstate(invalid="ignore", divide="ignore"):
        below, above = (_root_mean_square(values[side]) for side in (values < 0, values > 0))
        skew = np.float64(below) / above
        ratio = np.abs(values).mean() ** 2 / (values**2).mean()
        ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shape = float(shapes[np.argmin((ratios - ratio) ** 2)])
    scale = math.sqrt(math.gamma(1 / shape) / math.gamma(3 / shape))
    return shape, below * scale, above * scale


def _root_mean_square(values: np.ndarray) -> float:
    return math.sqrt(np.square(values).mean()) if values.size else math.nan


@cache
def _moment_ratios() -> tuple[np.ndarray, np.ndarray]:
    """Shapes from 0.2 to 10, and for each the squared mean magnitude over the mean square of its distribution."""
    shapes = np.linspace(0.2, 10, 9801)
    ratios = [math.gamma(2 / s) ** 2 / (math.gamma(1 / s) * math.gamma(3 / s)) for s in shapes]
    return shapes, np.array(ratios)
