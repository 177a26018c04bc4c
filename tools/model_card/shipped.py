"""The two pairs that ship with the project, and that may be shown: whose they are, and their side-by-side pictures."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from model_card.outcome import read_pair, super_resolve
from model_card.strip import save_strip
from ttsr import Upscaler

Pair = tuple[np.ndarray, np.ndarray]
"""Truth and reference, each (H, W, 3) uint8."""

NAMES = ("aloe", "leuven")
_FOLDER = Path(__file__).parents[2] / "examples" / "pairs"

CREDITS = (
    "*From left: the small photo, bicubic, the reference, the result, the truth. Below: the square where bicubic errs "
    "most, and the middle of the places in the reference that its textures came from. aloe: the Aloe stereo pair of "
    "the Middlebury 2006 data sets (D. Scharstein, C. Pal, H. Hirschmüller). leuven: VGG Oxford's affine data set "
    "(K. Mikolajczyk, C. Schmid and others). Both by way of OpenCV's samples (Apache-2.0). Nothing was trained on "
    "them.*"
)
"""How to read the strips, and whose the photos are."""


def shipped_pairs() -> dict[str, Pair]:
    """The pairs by name."""
    return {name: read_pair(_FOLDER / f"{name}_hr.png", _FOLDER / f"{name}_ref.png") for name in NAMES}


def file_part(model: str) -> str:
    """A model's name as part of a file's."""
    return model.replace("/", "-")


def comparisons(upscaler: Upscaler, model: str, pairs: Mapping[str, Pair], docs: Path, folder: str) -> str:
    """Write a strip for each pair, and return Markdown that shows them.

    Args:
        upscaler: of the model; its references are set anew.
        model: what to call it.
        pairs: by name.
        docs: where the page lies.
        folder: where the strips go, relative to it; made where it is missing.

    Raises:
        OSError: a strip cannot be written.
    """
    (docs / folder).mkdir(parents=True, exist_ok=True)
    lines = []
    for name, pair in pairs.items():
        outcome, file = super_resolve(upscaler, *pair), f"{folder}/{file_part(model)}-{name}.jpg"
        save_strip(outcome, model, docs / file)
        lines += [
            f"![{name}: small photo, bicubic, reference, {model}, truth]({file})",
            "",
            f"*{name}: bicubic {outcome.bicubic_psnr:.2f} dB, {model} {outcome.psnr:.2f} dB, {outcome.gain:+z.2f} dB.*",
            "",
        ]
    return "\n".join([*lines, CREDITS])
