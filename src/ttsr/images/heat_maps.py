"""Heat maps: a value for each place, as colours over a picture, with a key to read them by."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ttsr.images.resize import resize_bicubic

# Matplotlib's viridis (CC0) at even steps: perceptually uniform, and read alike with any colour vision.
_VIRIDIS = (
    "440154 481a6c 472f7d 414487 39568c 31688e 2a788e 23888e 1f988b 22a884 35b779 54c568 7ad151 a5db36 d2e21b fde725"
)
_STEPS = np.array([list(bytes.fromhex(colour)) for colour in _VIRIDIS.split()])
_EVEN = np.linspace(0, 1, len(_STEPS))
_COLOURS = np.rint([[np.interp(i / 255, _EVEN, channel) for channel in _STEPS.T] for i in range(256)]).astype(np.uint8)
# The longest side of what is drawn, at least; a smaller picture is enlarged by a whole number.
_LONGEST_SIDE = 720
_MARGIN, _FONT_SIZE, _LINE = 8, 15, 20
_BAR_WIDTH, _BAR_HEIGHT = 288, 14


def viridis(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Colours (..., 3) of values (...) from 0, dark blue, to 1, yellow; values beyond are taken as 0 or 1."""
    return _COLOURS[np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)]


def heat_map(
    values: NDArray[np.floating],
    picture: NDArray[np.uint8],
    title: str,
    *,
    ticks: Sequence[tuple[float, str]] = ((0, "0"), (0.5, "0.5"), (1, "1")),
) -> Image.Image:
    """Draw values over a picture in gray, with their title and a colour bar below.

    Args:
        values: (h, w), drawn from 0 to 1 whatever there is, so that heat maps can be compared.
        picture: (h, w, 3) that they are of.
        title: what they are.
        ticks: values to mark on the bar, and what to write there.

    Returns:
        RGB, enlarged by a whole number where it is small.
    """
    colours = over_gray(viridis(values), picture)
    font = ImageFont.load_default(_FONT_SIZE)
    width = max(colours.width, _BAR_WIDTH + 2 * _MARGIN, round(font.getlength(title)) + 2 * _MARGIN)
    top = colours.height + _MARGIN
    bar_top = top + _LINE + 4
    sheet = Image.new("RGB", (width, bar_top + _BAR_HEIGHT + _LINE + _MARGIN), "white")
    sheet.paste(colours, (0, 0))
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, top), title, fill="black", font=font)
    # Over the same mean gray, so that the bar has the colours that are seen.
    bar = _blend(viridis(np.linspace(0, 1, _BAR_WIDTH))[None], np.full(3, 128))
    sheet.paste(Image.fromarray(bar).resize((_BAR_WIDTH, _BAR_HEIGHT)), (_MARGIN, bar_top))
    for value, text in ticks:
        x = _MARGIN + round(value * (_BAR_WIDTH - 1))
        draw.line((x, bar_top + _BAR_HEIGHT, x, bar_top + _BAR_HEIGHT + 4), fill="black")
        left = min(max(x - font.getlength(text) / 2, 2), width - font.getlength(text) - 2)
        draw.text((left, bar_top + _BAR_HEIGHT + 3), text, fill="black", font=font)
    return sheet


def over_gray(
    colours: NDArray[np.uint8],
    picture: NDArray[np.uint8],
    shown: NDArray[np.bool_] | None = None,
    *,
    longest_side: int = _LONGEST_SIDE,
) -> Image.Image:
    """Colours (h, w, 3) over a picture of that shape in gray, where `shown` (h, w) if given.

    Where its longest side is below `longest_side`, all is enlarged by a whole number: the picture smoothly, and of the
    colours each place stays one square.
    """
    height, width = picture.shape[:2]
    factor = max(1, -(-longest_side // max(height, width)))
    gray = np.asarray(Image.fromarray(np.ascontiguousarray(picture)).convert("L").convert("RGB"))
    if factor > 1:
        gray = resize_bicubic(gray, factor * width, factor * height)
        colours = colours.repeat(factor, 0).repeat(factor, 1)
        shown = None if shown is None else shown.repeat(factor, 0).repeat(factor, 1)
    blended = _blend(colours, gray)
    return Image.fromarray(blended if shown is None else np.where(shown[..., None], blended, gray))


def _blend(colours: NDArray[np.uint8], gray: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Four fifths of the colours, in integers, which take little memory."""
    return ((4 * colours.astype(np.uint16) + gray.astype(np.uint16) + 2) // 5).astype(np.uint8)
