"""The two pairs of `examples/`: comparisons, and what degraded references do to the result."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from model_card.comparison import Comparison, Pair, compare, read_pair
from model_card.peers import read_pictures
from model_card.sheets import Sheet, make_sheet
from ttsr import Upscaler

_NAMES = ("aloe", "leuven")
_FOLDER = Path(__file__).parents[2] / "examples" / "pairs"

_SOURCES = (
    "aloe: the Aloe stereo pair of the Middlebury 2006 data sets (D. Scharstein, C. Pal, H. Hirschmüller). leuven: VGG "
    "Oxford's affine data set (K. Mikolajczyk, C. Schmid and others). Both from OpenCV's samples (Apache-2.0). Nothing "
    "of ours was trained on them."
)
_HOW_TO_READ_SHEETS = (
    "*Each picture whole, and below it a detail that no person chose; of the reference, the square that most textures "
    'of the first model came from. "Alone" is without a reference.'
)
_HOW_TO_READ = (
    "*From left: the small photo, bicubic, the reference, the result, the ground truth. Below: the square with the "
    "largest error of bicubic, and the square of the reference that most of its textures came from."
)


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


def example_sheets(
    upscalers: Mapping[str, Upscaler], pairs: Mapping[str, Pair], pictures: Path, docs: Path, folder: str
) -> str:
    """Write two sheets of each pair, and return Markdown that shows them with the scores.

    Args:
        upscalers: by the models' names; their references are replaced.
        pairs: by name.
        pictures: folder of the pictures by others.
        docs: folder of the page.
        folder: for the sheets, relative to `docs`; created where it is missing.

    Raises:
        ImageError: a picture of others is unreadable.
        OSError: a sheet cannot be written.
    """
    (docs / folder).mkdir(parents=True, exist_ok=True)
    lines = []
    for name, pair in pairs.items():
        sheet = make_sheet(upscalers, pair, read_pictures(pictures, name))
        lines += [f"**{name}**", "", _sheet_table(sheet), ""]
        details = {"hardest": ("where bicubic errs most", sheet.hardest())}
        if (lost := sheet.lost()) is not None:
            details["lost"] = ("where ours loses most against the best of the others", lost)
        for part, (where, detail) in details.items():
            file = f"{folder}/{name}-{part}.jpg"
            sheet.save(detail, docs / file)
            lines += [f"![{name}, {where}: {', '.join(sheet.results)}]({file})", "", f"*{name}, {where}.*", ""]
    return "\n".join([*lines, f"{_HOW_TO_READ_SHEETS} {_SOURCES}*"])


def _sheet_table(sheet: Sheet) -> str:
    lines = ["| | PSNR | SSIM | GMSD ↓ | HaarPSI | NIQE ↓ |", "|---|---|---|---|---|---|"]
    for title, score in sheet.scores.items():
        psnr, ssim, _, *others = score.texts()
        lines.append(f"| {title} | {' | '.join([psnr, ssim, *others])} |")
    return "\n".join(lines)


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
    alone = {name: compare(upscaler, hr, None).psnr for name, (hr, _) in pairs.items()}
    good = {name: compare(upscaler, *pair) for name, pair in pairs.items()}
    heads = [cell for name in pairs for cell in (f"{name}: PSNR", "over bicubic", "over no reference")]
    lines = [
        "What a bad reference costs, on the two example pairs (PSNR by `paper-y`):",
        "",
        f"| reference | {' | '.join(heads)} |",
        f"|---|{'---|' * len(heads)}",
        f"| the pair's own | {' | '.join(_cells(good[name], alone[name]) for name in pairs)} |",
    ]
    shown = []
    for case in FAILURE_CASES:
        results = {name: compare(upscaler, pairs[name][0], _degraded(case, name, pairs)) for name in pairs}
        lines.append(f"| {case.description} | {' | '.join(_cells(results[name], alone[name]) for name in pairs)} |")
        result, file = results[case.pair], f"{folder}/{file_part(model)}-{case.name}.jpg"
        result.save(model, docs / file)
        shown += [
            "",
            f"![{case.pair} with {case.description}]({file})",
            "",
            f"*{case.pair} with {case.description}: {result.gain:+z.2f} dB over bicubic, "
            f"{result.psnr - alone[case.pair]:+z.2f} dB over no reference.*",
        ]
    return "\n".join([*lines, *shown, "", f"{_HOW_TO_READ} {_SOURCES}*"])


def _degraded(case: FailureCase, name: str, pairs: Mapping[str, Pair]) -> np.ndarray:
    if case.degrade is None:
        return next(reference for other, (_, reference) in pairs.items() if other != name)
    return np.asarray(case.degrade(Image.fromarray(pairs[name][1])))


def _cells(result: Comparison, alone: float) -> str:
    return f"{result.psnr:.2f} | {result.gain:+z.2f} dB | {result.psnr - alone:+z.2f} dB"
