"""Where a result is worst: the detail to look at that no person chose."""

import numpy as np

from ttsr.evaluation.protocols import PAPER_Y
from ttsr.images.resize import SCALE


def worst_square(hr: np.ndarray, other: np.ndarray, side: int, *, against: np.ndarray | None = None) -> tuple[int, int]:
    """Find the square in which a picture differs most from the ground truth, by squared error of luma.

    Args:
        hr: (H, W, 3) uint8, H and W multiples of 4 and at least `side`.
        other: of the same shape.
        side: of the square, in pixels.
        against: of the same shape; its error is subtracted.

    Returns:
        Top and left, multiples of 4.
    """
    errors = _squared_errors(hr, other)
    if against is not None:
        errors -= _squared_errors(hr, against)
    # Sums over all squares at once, as differences of cumulative sums.
    sums = np.pad(errors.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    squares = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    squares = squares[::SCALE, ::SCALE]
    top, left = np.unravel_index(squares.argmax(), squares.shape)
    return int(top) * SCALE, int(left) * SCALE


def _squared_errors(hr: np.ndarray, other: np.ndarray) -> np.ndarray:
    return ((hr.astype(np.float64) - other) @ np.array(PAPER_Y.luma)) ** 2
