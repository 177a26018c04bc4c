import numpy as np
import pytest

from ttsr.images.picture import Picture
from ttsr.images.transparency import is_constant, keep_flat, with_spread_colours


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colours_spread_over_what_is_clear(dtype: type) -> None:
    rgb = np.zeros((9, 13, 3), dtype)
    rgb[:, :4] = (200, 100, 50)
    rgb[:, 9:] = (20, 30, 40)
    alpha = np.zeros((9, 13), dtype)
    alpha[:, :4], alpha[:, 9:] = 1, 7
    spread = with_spread_colours(Picture(rgb, alpha)).rgb
    assert spread.dtype == dtype
    np.testing.assert_array_equal(spread[alpha > 0], rgb[alpha > 0])
    np.testing.assert_array_equal(spread[:, 4], np.broadcast_to((200, 100, 50), (9, 3)))
    np.testing.assert_array_equal(spread[:, 8], np.broadcast_to((20, 30, 40), (9, 3)))
    assert spread.min() >= 20  # a mean of the two colours everywhere, and nowhere black


def test_one_seen_pixel_colours_all_the_rest() -> None:
    rgb, alpha = np.zeros((37, 50, 3), np.uint8), np.zeros((37, 50), np.uint8)
    rgb[36, 49], alpha[36, 49] = (9, 8, 7), 255
    np.testing.assert_array_equal(with_spread_colours(Picture(rgb, alpha)).rgb, np.broadcast_to((9, 8, 7), rgb.shape))


@pytest.mark.parametrize("alpha", [None, np.zeros((4, 4), np.uint8), np.full((4, 4), 3, np.uint8)])
def test_pictures_that_are_left_alone(alpha: np.ndarray | None) -> None:
    picture = Picture(np.arange(48, dtype=np.uint8).reshape(4, 4, 3), alpha)
    assert with_spread_colours(picture) is picture


def test_flat_areas_are_exact() -> None:
    alpha = np.full((6, 7), 255, np.uint8)
    alpha[:, 5:] = 0
    kept = keep_flat(np.full((24, 28), 99, np.uint8), alpha)
    assert (kept[:, :16] == 255).all() and (kept[:, 24:] == 0).all()
    assert (kept[:, 16:24] == 99).all()  # where the opaque and the clear pixel meet


def test_constant() -> None:
    assert is_constant(np.full((3, 4), 7)) and not is_constant(np.eye(2))
