"""Pictures side by side under labels: each whole, and below it the same detail of all, enlarged."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ttsr.images.resize import SCALE

_GAP, _ROW_GAP, _LABEL_HEIGHT, _FONT_SIZE = 6, 10, 28, 17
_FRAME = (255, 60, 0)


def side_by_side(
    pictures: Mapping[str, NDArray[np.uint8]],
    detail: tuple[int, int],
    side: int,
    *,
    elsewhere: Mapping[str, tuple[int, int]] | None = None,
    panel_width: int = 288,
    columns: int | None = None,
) -> Image.Image:
    """Draw pictures from left to right on white: label, whole picture with a frame around the detail, detail.

    Whole pictures get the height that fits the first one of their row; what of a detail lies outside of its picture
    stays white.

    Args:
        pictures: (H, W, 3) uint8, by their labels.
        detail: top and left of the square to enlarge, in pixels.
        side: of the square, in pixels.
        elsewhere: the same for pictures, by their labels, that show it at another place.
        panel_width: of each picture in the result, in pixels.
        columns: pictures in a row; by default all.

    Returns:
        RGB.
    """
    places = {label: (elsewhere or {}).get(label, detail) for label in pictures}
    labels, across = list(pictures), columns or len(pictures)
    rows = [labels[first : first + across] for first in range(0, len(labels), across)]
    drawn = [_row({label: (pictures[label], places[label]) for label in row}, side, panel_width) for row in rows]
    sheet = Image.new("RGB", (drawn[0].width, sum(row.height + _ROW_GAP for row in drawn) - _ROW_GAP), "white")
    top = 0
    for row in drawn:
        sheet.paste(row, (0, top))
        top += row.height + _ROW_GAP
    return sheet


def draw_frame(picture: Image.Image, box: tuple[int, int, int, int], *, width: int = 2) -> None:
    """Draw a frame, `width` pixels wide, just inside a box: (left, top, right, bottom) in pixels of an RGB picture."""
    left, top, right, bottom = box
    ImageDraw.Draw(picture).rectangle((left, top, right - 1, bottom - 1), outline=_FRAME, width=width)


def matched_detail(
    index: NDArray[np.int32], detail: tuple[int, int], side: int, size: tuple[int, int]
) -> tuple[int, int]:
    """Top and left of the square of the first reference that most matches of a detail came from, around their median.

    Where none came from it, that of the same place, as a share of the height and width.

    Args:
        index: (h, w, 3) on the LR grid: number of the reference, row and column in its pixels.
        detail: top and left of the detail in the result, in pixels.
        side: of both squares, in pixels.
        size: (height, width) of the reference, inside which the square lies where it fits.
    """
    top, left = detail
    places = index[top // SCALE : (top + side) // SCALE, left // SCALE : (left + side) // SCALE].reshape(-1, 3)
    places = places[places[:, 0] == 0, 1:]
    if len(places):
        centre = np.median(places, axis=0)
    else:
        centre = (np.array(detail) + side / 2) * size / (SCALE * np.array(index.shape[:2]))
    corner = centre.astype(int) - side // 2
    y, x = (int(np.clip(at, 0, max(0, length - side))) for at, length in zip(corner, size, strict=True))
    return y, x


def _row(panels: Mapping[str, tuple[NDArray[np.uint8], tuple[int, int]]], side: int, panel_width: int) -> Image.Image:
    """Pictures and the places of their details, by label, in one row."""
    height, width = next(iter(panels.values()))[0].shape[:2]
    whole_height = max(1, round(panel_width * height / width))
    detail_top = _LABEL_HEIGHT + whole_height + _GAP
    sheet = Image.new("RGB", (len(panels) * (panel_width + _GAP) - _GAP, detail_top + panel_width), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_FONT_SIZE)
    for number, (label, (pixels, (y, x))) in enumerate(panels.items()):
        left = number * (panel_width + _GAP)
        draw.text((left + 2, 3), label, fill="black", font=font)
        image = Image.fromarray(np.ascontiguousarray(pixels))
        scale = min(panel_width / image.width, whole_height / image.height)
        fitted = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        whole = image.resize(fitted, Image.Resampling.BICUBIC)
        corner, reach = (round(x * scale), round(y * scale)), round(min(side, *image.size) * scale)
        draw_frame(whole, (*corner, corner[0] + reach, corner[1] + reach))
        sheet.paste(whole, (left, _LABEL_HEIGHT))
        detail = image.crop((x, y, min(x + side, image.width), min(y + side, image.height)))
        enlarged = max(1, detail.width * panel_width // side), max(1, detail.height * panel_width // side)
        sheet.paste(detail.resize(enlarged, Image.Resampling.NEAREST), (left, detail_top))
    return sheet
