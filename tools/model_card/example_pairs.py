"""The two pairs of `examples/`: comparisons, and what degraded references do to the result."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from model_card.comparison import Comparison, Pair, compare, read_pair
from ttsr import Upscaler

_NAMES = ("aloe", "leuven")
_FOLDER = Path(__file__).parents[2] / "examples" / "pairs"

CREDITS = (
    "*From left: the small photo, bicubic, the reference, the result, the ground truth. Below: the square with the "
    "largest error of bicubic, and the square of the reference that most of its textures came from. aloe: the Aloe "
    "stereo pair of the Middlebury 2006 data sets (D. Scharstein, C. Pal, H. Hirschmüller). leuven: VGG Oxford's "
    "affine data set (K. Mikolajczyk, C. Schmid and others). Both from OpenCV's samples (Apache-2.0). Nothing was "
    "trained on them.*"
)
"""How to read the comparisons, and the photos' sources."""


@dataclass(frozen=True)
class FailureCase:
    """A way to degrade a reference.

    Attributes:
        name: part of the comparison's file name.
        description: for the table.
        pair: the pair whose comparison is shown.
        degrade: from the pair's own reference to the degraded one; None for the other pair's reference.
    """

    name: str
    description: str
    pair: str
    degrade: Callable[[Image.Image], Image.Image] | None


def _scaled(factor: float) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.resize(
        (round(image.width * factor), round(image.height * factor)), Image.Resampling.BICUBIC
    )


FAILURE_CASES = (
    FailureCase("unrelated", "a photo of something else: the other pair's reference", "leuven", None),
    FailureCase(
        "rotated",
        "the reference rotated by 45 degrees, on black",
        "leuven",
        lambda image: image.rotate(45, Image.Resampling.BICUBIC, expand=True),
    ),
    FailureCase("half", "the reference at half the scale", "aloe", _scaled(0.5)),
    FailureCase("twice", "the reference at twice the scale", "aloe", _scaled(2)),
    FailureCase(
        "blurred",
        "the reference blurred (Gaussian, sigma 3 pixels)",
        "leuven",
        lambda image: image.filter(ImageFilter.GaussianBlur(3)),
    ),
)


def example_pairs() -> dict[str, Pair]:
    """Read the pairs, by name."""
    return {name: read_pair(_FOLDER / f"{name}_hr.png", _FOLDER / f"{name}_ref.png") for name in _NAMES}


def file_part(model: str) -> str:
    """Turn a model's name into part of a file name."""
    return model.replace("/", "-")


def comparisons(upscaler: Upscaler, model: str, pairs: Mapping[str, Pair], docs: Path, folder: str) -> str:
    """Write a side-by-side picture of each pair, and return Markdown that shows them.

    Args:
        upscaler: of the model; its references are replaced.
        model: what to call it.
        pairs: by name.
        docs: folder of the page.
        folder: for the pictures, relative to `docs`; created where it is missing.

    Raises:
        OSError: a picture cannot be written.
    """
    (docs / folder).mkdir(parents=True, exist_ok=True)
    lines = []
    for name, pair in pairs.items():
        result, file = compare(upscaler, *pair), f"{folder}/{file_part(model)}-{name}.jpg"
        result.save(model, docs / file)
        lines += [
            f"![{name}: small photo, bicubic, reference, {model}, ground truth]({file})",
            "",
            f"*{name}: bicubic {result.bicubic_psnr:.2f} dB, {model} {result.psnr:.2f} dB, {result.gain:+z.2f} dB.*",
            "",
        ]
    return "\n".join([*lines, CREDITS])


def failures(upscaler: Upscaler, model: str, pairs: Mapping[str, Pair], docs: Path, folder: str) -> str:
    """Write a side-by-side picture of each failure case, and return Markdown: a table of what each costs, and them.

    Args:
        upscaler: of the model; its references are replaced.
        model: what to call it.
        pairs: the two of `example_pairs`, by name.
        docs: folder of the page.
        folder: for the pictures, relative to `docs`; created where it is missing.

    Raises:
        OSError: a picture cannot be written.
    """
    (docs / folder).mkdir(parents=True, exist_ok=True)
    own = {name: compare(upscaler, hr, None).psnr for name, (hr, _) in pairs.items()}
    good = {name: compare(upscaler, *pair) for name, pair in pairs.items()}
    heads = [cell for name in pairs for cell in (f"{name}: PSNR", "over bicubic", "over the LR itself")]
    lines = [
        "What a bad reference costs, on the two example pairs (PSNR by `paper-y`):",
        "",
        f"| reference | {' | '.join(heads)} |",
        f"|---|{'---|' * len(heads)}",
        f"| the pair's own | {' | '.join(_cells(good[name], own[name]) for name in pairs)} |",
    ]
    shown = []
    for case in FAILURE_CASES:
        results = {name: compare(upscaler, pairs[name][0], _degraded(case, name, pairs)) for name in pairs}
        lines.append(f"| {case.description} | {' | '.join(_cells(results[name], own[name]) for name in pairs)} |")
        result, file = results[case.pair], f"{folder}/{file_part(model)}-{case.name}.jpg"
        result.save(model, docs / file)
        shown += [
            "",
            f"![{case.pair} with {case.description}]({file})",
            "",
            f"*{case.pair} with {case.description}: {result.gain:+z.2f} dB over bicubic, "
            f"{result.psnr - own[case.pair]:+z.2f} dB over no useful reference (the LR itself).*",
        ]
    return "\n".join([*lines, *shown, "", CREDITS])


def _degraded(case: FailureCase, name: str, pairs: Mapping[str, Pair]) -> np.ndarray:
    if case.degrade is None:
        return next(reference for other, (_, reference) in pairs.items() if other != name)
    return np.asarray(case.degrade(Image.fromarray(pairs[name][1])))


def _cells(result: Comparison, own: float) -> str:
    return f"{result.psnr:.2f} | {result.gain:+z.2f} dB | {result.psnr - own:+z.2f} dB"
