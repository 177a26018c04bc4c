"""An outcome as a strip to look at: LR, bicubic, reference, result, truth; whole above, a detail enlarged below."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from model_card.outcome import Outcome
from ttsr.evaluation.protocols import PAPER_Y
from ttsr.images.resize import SCALE
from ttsr.system.files import atomic_path

DETAIL = 96
"""Side of the detail, in pixels of the truth."""
PANEL = 3 * DETAIL
_GAP, _LABEL, _FRAME = 6, 26, (255, 60, 0)
_QUALITY = 90


def strip(outcome: Outcome, model: str) -> Image.Image:
    """The strip. Nobody picks the detail: it is the square where bicubic errs most.

    Of the reference it shows, in the detail's size, the middle of the places that the textures there came from.
    """
    truth = outcome.truth
    height, width = truth.shape[:2]
    side = min(DETAIL, height, width)
    top, left = worst_square(truth, outcome.bicubic, side)
    there = _matched(outcome, top, left, side)
    panels = [
        ("small photo", outcome.lr.repeat(SCALE, 0).repeat(SCALE, 1), (top, left)),
        (f"bicubic {outcome.bicubic_psnr:.2f} dB", outcome.bicubic, (top, left)),
        ("reference", outcome.reference, there),
        (f"{model} {outcome.psnr:.2f} dB ({outcome.gain:+z.2f})", outcome.sr, (top, left)),
        ("truth", truth, (top, left)),
    ]
    whole = max(1, round(PANEL * height / width))
    sheet = Image.new("RGB", (len(panels) * (PANEL + _GAP) - _GAP, _LABEL + whole + _GAP + PANEL), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(15)
    for number, (label, pixels, (y, x)) in enumerate(panels):
        at = number * (PANEL + _GAP)
        draw.text((at + 2, 4), label, fill="black", font=font)
        image = Image.fromarray(np.ascontiguousarray(pixels))
        scale = min(PANEL / image.width, whole / image.height)
        fitted = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        sheet.paste(image.resize(fitted, Image.Resampling.BICUBIC), (at, _LABEL))
        corner = at + round(x * scale), _LABEL + round(y * scale)
        reach = round(min(side, *image.size) * scale) - 1
        draw.rectangle((*corner, corner[0] + reach, corner[1] + reach), outline=_FRAME, width=2)
        detail = image.crop((x, y, min(x + side, image.width), min(y + side, image.height)))
        enlarged = detail.width * PANEL // side, detail.height * PANEL // side
        sheet.paste(detail.resize(enlarged, Image.Resampling.NEAREST), (at, _LABEL + whole + _GAP))
    return sheet


def save_strip(outcome: Outcome, model: str, path: Path) -> None:
    """Write the strip as JPEG, whole or not at all; its folder must be there.

    Raises:
        OSError: it cannot be written.
    """
    with atomic_path(path) as temporary:
        strip(outcome, model).save(temporary, "JPEG", quality=_QUALITY, subsampling=0, optimize=True)


def worst_square(truth: np.ndarray, other: np.ndarray, side: int) -> tuple[int, int]:
    """Top and left, multiples of 4, of the square in which `other` differs most from the truth.

    Args:
        truth, other: (H, W, 3) uint8, H and W multiples of 4 and at least `side`.
        side: of the square, in pixels.
    """
    luma = np.array(PAPER_Y.luma)
    errors = ((truth.astype(np.float64) - other) @ luma) ** 2
    # Sums over all squares at once, as differences of sums from the corner on.
    sums = np.pad(errors.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    squares = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    top, left = np.unravel_index(squares[::SCALE, ::SCALE].argmax(), squares[::SCALE, ::SCALE].shape)
    return int(top) * SCALE, int(left) * SCALE


def _matched(outcome: Outcome, top: int, left: int, side: int) -> tuple[int, int]:
    """Top and left of the reference's square around the median of the places that the detail's matches came from."""
    cells = outcome.index[top // SCALE : (top + side) // SCALE, left // SCALE : (left + side) // SCALE, 1:]
    middle = np.median(cells.reshape(-1, 2), axis=0).astype(int) - side // 2
    room = [max(0, length - side) for length in outcome.reference.shape[:2]]
    return int(np.clip(middle[0], 0, room[0])), int(np.clip(middle[1], 0, room[1]))
