"""The renderer of comparisons: which pixels appear where."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ttsr.images.panels import draw_frame, matched_detail, side_by_side

WIDTH = 80


def gray(height: int, width: int, square: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """A gray picture, with a blue square of 8x8 where wanted."""
    pixels = np.full((height, width, 3), 128, np.uint8)
    if square is not None:
        pixels[square[0] : square[0] + 8, square[1] : square[1] + 8] = (0, 0, 255)
    return pixels


Place = tuple[int, int]


def drawn(
    pictures: dict[str, NDArray[np.uint8]], detail: Place, side: int, elsewhere: dict[str, Place] | None = None
) -> NDArray[np.uint8]:
    return np.asarray(side_by_side(pictures, detail, side, elsewhere=elsewhere, panel_width=WIDTH))


def test_each_detail_is_enlarged_below_its_picture() -> None:
    sheet = drawn({"a": gray(40, 60, (4, 12)), "b": gray(40, 60, (20, 0))}, (4, 12), 8, {"b": (20, 0)})
    details = sheet[-WIDTH:]
    assert (details[:, :WIDTH] == (0, 0, 255)).all() and (details[:, -WIDTH:] == (0, 0, 255)).all()
    assert (details[:, WIDTH:-WIDTH] == 255).all() and sheet.shape[1] > 2 * WIDTH


def test_frame_surrounds_the_detail_in_the_whole_picture() -> None:
    sheet = drawn({"": gray(80, 80)}, (20, 40), 16)
    whole = sheet[: -WIDTH - 6][-WIDTH:]
    rows, columns = np.nonzero((whole != whole[0, 0]).any(axis=2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (20, 35, 40, 55)
    assert (whole[22:34, 42:54] == 128).all()


def test_labels_are_drawn_above_their_pictures() -> None:
    plain, labelled = (drawn({label: gray(40, 60)}, (0, 0), 8) for label in ("", "label"))
    changed = np.nonzero((plain != labelled).any(axis=(1, 2)))[0]
    assert len(changed) > 5 and changed.max() < len(plain) - WIDTH - 6 - round(WIDTH * 40 / 60)


def test_a_picture_of_another_shape_is_fitted_and_not_stretched() -> None:
    sheet = drawn({"a": gray(40, 80), "b": gray(80, 40)}, (0, 0), 8)
    whole = sheet[: -WIDTH - 6][-40:, -WIDTH:]
    assert (whole[10:, 10:20] == 128).all() and (whole[:, 20:] == 255).all()


def test_a_picture_smaller_than_the_detail_leaves_white() -> None:
    details = drawn({"a": gray(40, 80), "b": gray(4, 8)}, (0, 0), 16)[-WIDTH:, -WIDTH:]
    assert (details[:20, :40] == 128).all() and (details[20:] == 255).all() and (details[:, 40:] == 255).all()


def test_rows_follow_one_another() -> None:
    pictures = {"a": gray(40, 60), "b": gray(40, 60, (0, 0)), "c": gray(60, 40)}
    sheet = np.asarray(side_by_side(pictures, (0, 0), 8, panel_width=WIDTH, columns=2))
    first, second = {label: pictures[label] for label in "ab"}, {"c": pictures["c"]}
    top, bottom = drawn(first, (0, 0), 8), drawn(second, (0, 0), 8)
    assert sheet.shape[1] == top.shape[1] and len(sheet) > len(top) + len(bottom)
    assert np.array_equal(sheet[: len(top)], top) and np.array_equal(sheet[-len(bottom) :, :WIDTH], bottom)
    assert (sheet[len(top) : -len(bottom)] == 255).all() and (sheet[-len(bottom) :, WIDTH:] == 255).all()


def test_a_frame_lies_inside_its_box() -> None:
    picture = Image.fromarray(gray(20, 30))
    draw_frame(picture, (3, 5, 13, 11))
    changed = np.nonzero((np.asarray(picture) != 128).any(axis=2))
    assert [(int(axis.min()), int(axis.max())) for axis in changed] == [(5, 10), (3, 12)]
    assert (np.asarray(picture)[7:9, 5:11] == 128).all()


def test_without_matches_the_detail_is_at_the_same_place_of_the_reference() -> None:
    index = np.full((10, 12, 3), -1, np.int32)
    assert matched_detail(index, (8, 12), 8, (80, 96)) == (20, 28)  # the middle is at 3/10 and 1/3
    index[3, 3] = 1, 70, 90  # of the second reference, which the first one's detail cannot show
    assert matched_detail(index, (8, 12), 8, (80, 96)) == (20, 28)
    index[3, 4] = 0, 40, 50
    assert matched_detail(index, (8, 12), 8, (80, 96)) == (36, 46)


@pytest.mark.parametrize(
    ("place", "size", "expected"),
    [((50, 70), (200, 300), (46, 66)), ((2, 298), (200, 300), (0, 292)), ((2, 2), (6, 300), (0, 0))],
)
def test_matched_detail_is_around_the_median_and_inside(
    place: tuple[int, int], size: tuple[int, int], expected: tuple[int, int]
) -> None:
    index = np.zeros((10, 12, 3), np.int32)
    index[2:4, 3:5, 1:] = place
    index[2, 3, 1:] = 199  # an outlier, which the median ignores
    index[0, 0] = 7  # outside of the detail
    assert matched_detail(index, (8, 12), 8, size) == expected
