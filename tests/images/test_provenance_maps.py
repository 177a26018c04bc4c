"""Provenance maps: places and references told apart by their colours, and the key."""

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.color import rgb2lab

from ttsr.images.provenance_maps import MappedReference, place_colours, provenance_map


def reference(width: int, height: int, name: str = "a", used: bool = True) -> MappedReference:
    return MappedReference(np.full((height, width, 3), 128, np.uint8), (width, height), (name,), used)


def everywhere(number: int, width: int, height: int) -> NDArray[np.int64]:
    """Every 8th place of a reference."""
    y, x = np.mgrid[0:height:8, 0:width:8]
    return np.stack([np.full_like(y, number), y, x], -1)


def hues(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """In CIE Lab, as points of the unit circle."""
    lab = rgb2lab(colours.reshape(-1, 3) / 255)
    return lab[:, 1:] / np.linalg.norm(lab[:, 1:], axis=1, keepdims=True)


def test_right_is_another_hue_and_down_is_darker() -> None:
    colours = place_colours(everywhere(0, 160, 96), [reference(160, 96)])
    lab = rgb2lab(colours / 255.0)
    assert (np.diff(lab[..., 0].mean(1)) < -2).all()
    steps = np.linalg.norm(np.diff(lab[..., 1:], axis=1), axis=-1)
    assert steps.mean() > 5 and len(np.unique(colours.reshape(-1, 3), axis=0)) == 12 * 20


@pytest.mark.parametrize("count", [2, 3, 5])
def test_each_reference_has_hues_of_its_own(count: int) -> None:
    references = [reference(160, 96) for _ in range(count)]
    found = [hues(place_colours(everywhere(number, 160, 96), references)) for number in range(count)]
    for number, own in enumerate(found):
        middle = own.mean(0) / np.linalg.norm(own.mean(0))
        for other in found[:number] + found[number + 1 :]:
            assert (other @ middle).max() < (own @ middle).min()


def test_what_is_left_out_takes_no_hues() -> None:
    alone = place_colours(everywhere(0, 160, 96), [reference(160, 96)])
    beside = place_colours(everywhere(1, 160, 96), [reference(99, 99, used=False), reference(160, 96)])
    np.testing.assert_array_equal(alone, beside)
    gray = place_colours(np.full((2, 2, 3), -1), [reference(160, 96)])
    assert (gray == gray[0, 0, 0]).all()


def test_the_key_has_the_colours_of_the_map() -> None:
    index = np.full((8, 12, 3), -1)
    index[:4], index[4:, :6] = (0, 24, 40), (1, 60, 8)
    references = [reference(160, 96), reference(80, 80), reference(80, 80, used=False)]
    sheet = np.asarray(provenance_map(index, np.full((8, 12, 3), 128, np.uint8), references)).astype(int)
    drawn, key = sheet[:480], sheet[490:].reshape(-1, 3)
    first, second, none = drawn[100, 100], drawn[400, 100], drawn[400, 600]
    assert len({*map(tuple, (first, second, none))}) == 3 and (none == 128).all()
    for colour in (first, second):
        assert np.abs(key - colour).max(1).min() <= 3
    # Of the first reference at the place that was matched: a quarter from the top, and from the left.
    there = sheet[490 + round(0.25 * 226 * 96 / 160), 10 + round(0.25 * 226)]
    assert np.abs(there - first).max() <= 4


def test_names_of_any_length_and_letters_are_drawn() -> None:
    names = ["x" * 300 + "end", "\udcff", "", "写真.jpg"]
    references = [reference(40, 30, name) for name in names]
    sheet = provenance_map(everywhere(0, 40, 30)[:1, :1], np.zeros((1, 1, 3), np.uint8), references)
    assert sheet.size[0] == 720


def test_deep_and_thin_references() -> None:
    thin = MappedReference(np.full((4, 4000, 3), 60000, np.uint16), (4000, 4), ("thin",))
    assert provenance_map(np.zeros((3, 3, 3), int), np.zeros((3, 3, 3), np.uint8), [thin]).mode == "RGB"
