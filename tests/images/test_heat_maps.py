"""Heat maps: which colour stands where."""

import numpy as np
import pytest

from ttsr.images.heat_maps import heat_map, over_gray, viridis


def test_viridis_goes_from_dark_to_light() -> None:
    colours = viridis(np.linspace(0, 1, 50)).astype(float)
    assert (np.diff(colours @ [0.299, 0.587, 0.114]) > 0).all()
    np.testing.assert_array_equal(colours[[0, -1]], [[68, 1, 84], [253, 231, 37]])
    np.testing.assert_array_equal(viridis(np.array([-1.0, 7.0])), colours[[0, -1]])


def test_each_value_has_its_place_and_the_colour_of_the_key() -> None:
    values = np.array([[0.0, 0.5, 1.0], [1.0, 0.5, 0.0]])
    sheet = np.asarray(heat_map(values, np.full((2, 3, 3), 128, np.uint8), "title"))
    assert sheet.shape[1] == 720
    cells = sheet[120:480:240, 120::240]
    assert (np.abs(cells[0].astype(int) - cells[1, ::-1]) <= 1).all()
    bar = sheet[480 + 8 + 20 + 4 + 7, 8 : 8 + 288].astype(int)
    for cell, at in zip(cells[0], (0, 143, 287), strict=True):
        assert np.abs(bar[at] - cell).max() <= 6
    # A map of other values has the same scale.
    half = np.asarray(heat_map(values / 2, np.full((2, 3, 3), 128, np.uint8), "title"))
    np.testing.assert_array_equal(half[120, 600], cells[0, 1])


def test_the_picture_shows_through_and_alone_where_nothing_is_shown() -> None:
    picture = np.zeros((800, 800, 3), np.uint8)
    picture[:, 400:] = (255, 0, 0)
    colours = np.full_like(picture, (0, 0, 250))
    shown = np.zeros((800, 800), bool)
    shown[:400] = True
    drawn = np.asarray(over_gray(colours, picture, shown))
    assert drawn.shape == picture.shape
    assert (drawn[500:, :400] == 0).all() and (drawn[500:, 400:] == 76).all()
    assert (drawn[:400, 400:] == drawn[0, 799]).all() and (drawn[0, 799] > drawn[0, 0]).all()
    assert (drawn[:400, :, 2] - drawn[:400, :, 0] == 200).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (3000, 2)])
def test_any_shape(shape: tuple[int, int]) -> None:
    sheet = heat_map(np.zeros(shape), np.zeros((*shape, 3), np.uint8), "a title that is longer than the picture")
    assert min(sheet.size) >= 60 and max(sheet.size) < 3100
