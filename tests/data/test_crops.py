"""How much there is to see in a crop."""

import numpy as np
import pytest

from ttsr.data.crops import detail


def test_it_is_the_mean_difference_of_neighbours() -> None:
    assert detail(np.full((5, 7, 3), 250, np.uint8)) == 0
    columns = np.tile(np.array([0, 255], np.uint8), (6, 4))  # no overflow, neither up nor down
    assert detail(columns) == pytest.approx(255 / 2)
    assert detail(columns.T) == pytest.approx(255 / 2)
    assert detail(np.stack([columns] * 3, -1)) == pytest.approx(255 / 2)
