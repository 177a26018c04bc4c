"""What a bad reference does, shown on the pairs that ship: each reference made worse in one way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from model_card.outcome import Outcome, super_resolve
from model_card.shipped import CREDITS, Pair, file_part
from model_card.strip import save_strip
from ttsr import Upscaler


@dataclass(frozen=True)
class Case:
    """A way to spoil a reference.

    Attributes:
        name: of its picture's file.
        words: for people.
        pair: whose strip is shown.
        spoil: from the pair's own reference to the spoilt one; None for the other pair's reference.
    """

    name: str
    words: str
    pair: str
    spoil: Callable[[Image.Image], Image.Image] | None


def _scaled(factor: float) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.resize(
        (round(image.width * factor), round(image.height * factor)), Image.Resampling.BICUBIC
    )


CASES = (
    Case("unrelated", "a photo of something else: the other pair's reference", "leuven", None),
    Case(
        "turned",
        "its reference turned by 45 degrees, on black",
        "leuven",
        lambda image: image.rotate(45, Image.Resampling.BICUBIC, expand=True),
    ),
    Case("half", "its reference at half the scale", "aloe", _scaled(0.5)),
    Case("twice", "its reference at twice the scale", "aloe", _scaled(2)),
    Case(
        "blurred",
        "its reference blurred (Gaussian, 3 pixels)",
        "leuven",
        lambda image: image.filter(ImageFilter.GaussianBlur(3)),
    ),
)


def failures(upscaler: Upscaler, model: str, pairs: Mapping[str, Pair], docs: Path, folder: str) -> str:
    """Write a strip for each case, and return Markdown: what each costs, as a table, and the strips.

    Args:
        upscaler: of the model; its references are set anew.
        model: what to call it.
        pairs: the two that ship, by name.
        docs: where the page lies.
        folder: where the strips go, relative to it; made where it is missing.

    Raises:
        OSError: a strip cannot be written.
    """
    (docs / folder).mkdir(parents=True, exist_ok=True)
    own = {name: super_resolve(upscaler, truth, None).psnr for name, (truth, _) in pairs.items()}
    good = {name: super_resolve(upscaler, *pair) for name, pair in pairs.items()}
    heads = [cell for name in pairs for cell in (f"{name}: PSNR", "against bicubic", "against the LR itself")]
    lines = [
        "What a bad reference costs, on the two pairs that ship (PSNR by `paper-y`):",
        "",
        f"| given | {' | '.join(heads)} |",
        f"|---|{'---|' * len(heads)}",
        f"| its reference as it is | {' | '.join(_cells(good[name], own[name]) for name in pairs)} |",
    ]
    strips = []
    for case in CASES:
        outcomes = {name: super_resolve(upscaler, pairs[name][0], _spoilt(case, name, pairs)) for name in pairs}
        lines.append(f"| {case.words} | {' | '.join(_cells(outcomes[name], own[name]) for name in pairs)} |")
        shown, file = outcomes[case.pair], f"{folder}/{file_part(model)}-{case.name}.jpg"
        save_strip(shown, model, docs / file)
        strips += [
            "",
            f"![{case.pair}, given {case.words}]({file})",
            "",
            f"*{case.pair}, given {case.words}: {shown.gain:+z.2f} dB against bicubic, "
            f"{shown.psnr - own[case.pair]:+z.2f} dB against no useful reference (the LR itself).*",
        ]
    return "\n".join([*lines, *strips, "", CREDITS])


def _spoilt(case: Case, name: str, pairs: Mapping[str, Pair]) -> np.ndarray:
    if case.spoil is None:
        return next(reference for other, (_, reference) in pairs.items() if other != name)
    return np.asarray(case.spoil(Image.fromarray(pairs[name][1])))


def _cells(outcome: Outcome, own: float) -> str:
    return f"{outcome.psnr:.2f} | {outcome.gain:+z.2f} dB | {outcome.psnr - own:+z.2f} dB"
