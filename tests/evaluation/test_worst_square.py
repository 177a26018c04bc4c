"""The detail that no person chose."""

import numpy as np

from ttsr.evaluation.worst_square import worst_square


def test_detail_is_where_bicubic_errs_most() -> None:
    hr = np.full((40, 60, 3), 100, np.uint8)
    other = hr.copy()
    other[20:28, 44:52] = 160
    other[2:4, 2:4] = 255
    assert worst_square(hr, other, 8) == (20, 44)
    assert worst_square(hr, other, 40) == (0, 12)  # the first that holds all of the larger error
    # The larger error is there in both.
    assert worst_square(hr, other, 8, against=np.where(np.arange(60)[:, None] > 20, other, hr)) == (0, 0)
