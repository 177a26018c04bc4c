"""Provenance maps: for each place of a picture, in colours, which place of which reference it came from.

Each reference has a family of hues of its own. In it the hue goes from left to right, and the lightness from top to
bottom. The key shows the references in the colours of their own places.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ttsr.images.heat_maps import over_gray

# In CIE LCh: lightness at the top and at the bottom, and chroma, all of which screens can show at any hue.
_LIGHT, _DARK, _CHROMA = 84.0, 42.0, 52.0
# Of one reference's family of hues, in degrees: at most, and as a share of what there is for each.
_WIDEST, _SHARE = 240.0, 0.6
_FIRST_HUE = 40.0  # of the middle of the first family
_GAP, _FONT_SIZE, _LINE = 10, 14, 18
_LARGE, _SMALL = 345, 226  # pixels of the longest side of a reference in the key, of one or two, and of more
_AT_ONCE = 2**17  # places whose colours are computed at once
_NONE = 185  # gray of what stands for no reference


@dataclass(frozen=True)
class MappedReference:
    """A reference in the key of a provenance map.

    Attributes:
        pixels: (H, W, 3) uint8 or uint16, the upright picture.
        size: (width, height) that rows and columns count in.
        captions: lines to write below it.
        used: whether anything came from it; else it has no colours.
    """

    pixels: NDArray[Any]
    size: tuple[int, int]
    captions: tuple[str, ...]
    used: bool = True


def place_colours(index: NDArray[np.integer], references: Sequence[MappedReference]) -> NDArray[np.uint8]:
    """The colours (..., 3) of places (..., 3): number of the reference, row and column in its pixels.

    Those of no reference, with -1 as their number, are gray.
    """
    from skimage.color import lab2rgb  # not at the top: its import takes a while

    used = [number for number, reference in enumerate(references) if reference.used]
    apart = 360 / max(1, len(used))
    width = min(_WIDEST, _SHARE * apart)
    colours = np.full(index.shape, _NONE, np.uint8)
    flat, painted = index.reshape(-1, 3), colours.reshape(-1, 3)
    for place, number in enumerate(used):
        rows, columns = references[number].size[::-1]
        hits = np.flatnonzero(flat[:, 0] == number)
        for first in range(0, len(hits), _AT_ONCE):
            here = hits[first : first + _AT_ONCE]
            down, right = flat[here, 1] / max(1, rows - 1), flat[here, 2] / max(1, columns - 1)
            hue = np.radians(_FIRST_HUE + place * apart + width * (right - 0.5))
            lightness = _LIGHT + (_DARK - _LIGHT) * down
            lab = np.stack([lightness, _CHROMA * np.cos(hue), _CHROMA * np.sin(hue)], -1)
            painted[here] = np.rint(255 * np.clip(lab2rgb(lab), 0, 1)).astype(np.uint8)
    return colours


def provenance_map(
    index: NDArray[np.integer],
    picture: NDArray[np.uint8],
    references: Sequence[MappedReference],
    *,
    none: str = "no match",
) -> Image.Image:
    """Draw the colours of places over a picture, and below it each reference in the colours of its own places.

    Args:
        index: (h, w, 3): number of the reference, row and column in its pixels; -1 where nothing came from any.
        picture: (h, w, 3), shown in gray below the colours, and alone where nothing came from any reference.
        references: in the order of their numbers.
        none: what to write beside the gray of the key.
    """
    colours = over_gray(place_colours(index, references), picture, index[..., 0] >= 0)
    font = ImageFont.load_default(_FONT_SIZE)
    side = _LARGE if len(references) <= 2 else _SMALL
    entries = [
        (reference_in_colours(number, references, side), each.captions) for number, each in enumerate(references)
    ]
    entries.append((Image.new("RGB", (48, 32), (_NONE,) * 3), (none,)))
    across = max(1, (colours.width - _GAP) // (side + _GAP))
    rows = [entries[first : first + across] for first in range(0, len(entries), across)]
    heights = [max(image.height + _LINE * len(lines) for image, lines in row) + _GAP for row in rows]
    width = max(colours.width, side + 2 * _GAP)
    sheet = Image.new("RGB", (width, colours.height + _GAP + sum(heights)), "white")
    sheet.paste(colours, (0, 0))
    draw = ImageDraw.Draw(sheet)
    top = colours.height + _GAP
    for row, height in zip(rows, heights, strict=True):
        for column, (image, lines) in enumerate(row):
            left = _GAP + column * (side + _GAP)
            sheet.paste(image, (left, top))
            for line, text in enumerate(lines):
                at = left, top + image.height + 2 + _LINE * line
                draw.text(at, _fitting(text, font, side), fill="black", font=font)
        top += height
    return sheet


def reference_in_colours(number: int, references: Sequence[MappedReference], side: int) -> Image.Image:
    """A reference in gray, of this longest side, under the colours of its places where it has any."""
    reference = references[number]
    pixels, (rows, columns) = reference.pixels, reference.pixels.shape[:2]
    eight = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
    size = max(1, side * columns // max(columns, rows)), max(1, side * rows // max(columns, rows))
    small = Image.fromarray(np.ascontiguousarray(eight)).resize(size, Image.Resampling.BICUBIC, reducing_gap=2)
    y, x = np.indices((small.height, small.width))
    places = np.stack([np.full_like(y, number), y * rows // small.height, x * columns // small.width], -1)
    shown = np.full(y.shape, reference.used)
    return over_gray(place_colours(places, references), np.asarray(small), shown, longest_side=1)


def _fitting(text: str, font: Any, width: int) -> str:
    """The end of a text that is too long, which of a path says the most."""
    text = text.encode("utf-8", "replace").decode()  # a name may hold what is no text
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"...{text}") > width:
        text = text[1:]
    return f"...{text}"
