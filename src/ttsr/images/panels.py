"""Pictures side by side under labels: each whole, and below it a detail enlarged."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_GAP, _LABEL_HEIGHT, _FONT_SIZE = 6, 28, 17
_FRAME = (255, 60, 0)


@dataclass(frozen=True)
class Panel:
    """One column of a comparison: a picture (H, W, 3) uint8, and top and left of its detail to enlarge, in pixels."""

    label: str
    pixels: NDArray[np.uint8]
    detail: tuple[int, int]


def side_by_side(panels: Sequence[Panel], side: int, *, panel_width: int = 288) -> Image.Image:
    """Draw panels from left to right on white: label, whole picture with a frame around the detail, detail.

    Whole pictures get the height that fits the first one; what of a detail lies outside of its picture stays white.
    `side` is that of the details in pixels, `panel_width` is in pixels of the RGB result.
    """
    height, width = panels[0].pixels.shape[:2]
    whole_height = max(1, round(panel_width * height / width))
    detail_top = _LABEL_HEIGHT + whole_height + _GAP
    sheet = Image.new("RGB", (len(panels) * (panel_width + _GAP) - _GAP, detail_top + panel_width), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_FONT_SIZE)
    for number, panel in enumerate(panels):
        left, (y, x) = number * (panel_width + _GAP), panel.detail
        draw.text((left + 2, 3), panel.label, fill="black", font=font)
        image = Image.fromarray(np.ascontiguousarray(panel.pixels))
        scale = min(panel_width / image.width, whole_height / image.height)
        fitted = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        sheet.paste(image.resize(fitted, Image.Resampling.BICUBIC), (left, _LABEL_HEIGHT))
        corner = left + round(x * scale), _LABEL_HEIGHT + round(y * scale)
        reach = round(min(side, *image.size) * scale) - 1
        draw.rectangle((*corner, corner[0] + reach, corner[1] + reach), outline=_FRAME, width=2)
        detail = image.crop((x, y, min(x + side, image.width), min(y + side, image.height)))
        enlarged = max(1, detail.width * panel_width // side), max(1, detail.height * panel_width // side)
        sheet.paste(detail.resize(enlarged, Image.Resampling.NEAREST), (left, detail_top))
    return sheet


def matched_detail(
    index: NDArray[np.int32], detail: tuple[int, int], side: int, size: tuple[int, int]
) -> tuple[int, int]:
    """Top and left of the square of a reference that most matches of a detail came from, around their median.

    Args:
        index: (h, w, 3) on the LR grid: number of the reference, row and column in its pixels.
        detail: top and left of the detail in the result, in pixels.
        side: of both squares, in pixels.
        size: (height, width) of the reference, inside which the square lies where it fits.
    """
    top, left = detail
    places = index[top // 4 : (top + side) // 4, left // 4 : (left + side) // 4, 1:]
    corner = np.median(places.reshape(-1, 2), axis=0).astype(int) - side // 2
    y, x = (int(np.clip(at, 0, max(0, length - side))) for at, length in zip(corner, size, strict=True))
    return y, x
