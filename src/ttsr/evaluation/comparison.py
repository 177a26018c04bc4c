"""One picture upscaled with and without references, beside bicubic and, where there is one, the ground truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ttsr.errors import ImageError
from ttsr.evaluation.protocols import PAPER_Y, Score
from ttsr.images.html_page import LONGEST_SIDE
from ttsr.images.picture import Picture
from ttsr.images.resize import SCALE, upscale4
from ttsr.inference.base import read_base
from ttsr.inference.references import Reference, ReferencePixels
from ttsr.inference.upscaled import Upscaled
from ttsr.inference.upscaler import Upscaler
from ttsr.progress import Progress

_WITHOUT_SHARE = 0.3  # of the time, about


@dataclass(frozen=True)
class Comparison:
    """What the comparison of one picture shows.

    Attributes:
        lr: the LR picture.
        result: with the references.
        without: without any, of the same network; where that takes the picture as its own reference, with that.
        bicubic: (4h, 4w, 3) uint8.
        base: (4h, 4w, 3) uint8, the enlargement by another tool that the textures were added to, if there is one.
        truth: (4h, 4w, 3) uint8, if there is one.
        scores: under `paper-y`, of `bicubic`, `base` where there is one, `without` and `with`; empty without a ground
            truth.
    """

    lr: Picture
    result: Upscaled
    without: Upscaled
    bicubic: NDArray[np.uint8]
    base: NDArray[np.uint8] | None
    truth: NDArray[np.uint8] | None
    scores: dict[str, Score]


def check_sizes(lr: Picture, truth: Picture | None, *, lr_name: str, truth_name: str) -> None:
    """See before the work that the result can be shown, and compared with the ground truth.

    Raises:
        ImageError: the ground truth is not four times as large as the LR picture, or too small to score, or the
            result would be too large for a page.
    """
    width, height = SCALE * lr.size[0], SCALE * lr.size[1]
    if max(width, height) > LONGEST_SIDE:
        what = f"{lr_name}: the result of {width}x{height} is too large for a page"
        raise ImageError(what, f"give a part of it, of at most {LONGEST_SIDE // SCALE} pixels a side")
    if truth is None:
        return
    if truth.size != (width, height):
        what = f"{truth_name}: is {truth.size[0]}x{truth.size[1]}, but the result of {lr_name} is {width}x{height}"
        raise ImageError(what, f"give the ground truth of {width}x{height}, four times the picture's size")
    if min(width, height) < PAPER_Y.smallest_side:
        smallest = PAPER_Y.smallest_side
        raise ImageError(
            f"{truth_name}: {width}x{height} is too small to score", f"give {smallest}x{smallest} at least"
        )


def compare(
    upscaler: Upscaler,
    lr: Picture,
    references: Sequence[ReferencePixels],
    truth: Picture | None = None,
    *,
    base: Picture | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Upscale a picture with and without references, and score both and bicubic against the ground truth.

    Args:
        upscaler: with what to upscale.
        lr: the picture, of a size that `check_sizes` lets pass.
        references: not fitted.
        truth: the ground truth, of a size that `check_sizes` lets pass.
        base: the picture four times larger by another tool: what comes with references is added to it, it is shown
            and scored too, and what comes without is the network's own.
        progress: updated throughout; cancels the work.

    Raises:
        ImageError: the base is not four times as large as the picture.
        UserError: it does not fit into memory, or the network takes no base.
        Cancelled: through `progress`.
    """
    progress = progress or Progress()
    below = None if base is None else read_base(base, lr, upscaler.model.config)
    without = upscaler.upscale(lr, (), progress=progress.part(0, _WITHOUT_SHARE))
    given = tuple(Reference(reference) for reference in references)
    result = upscaler.upscale(lr, given, base=below, progress=progress.part(_WITHOUT_SHARE, 1))
    bicubic = upscale4(lr.in_eight_bits().rgb)
    enlarged = None if below is None else below.in_eight_bits().rgb
    scores: dict[str, Score] = {}
    target = None if truth is None else truth.in_eight_bits().rgb
    if target is not None:
        predictions = {"bicubic": bicubic, **({} if enlarged is None else {"base": enlarged})}
        predictions |= {"without": pixels_of(without), "with": pixels_of(result)}
        scores = {name: PAPER_Y.score(target, prediction) for name, prediction in predictions.items()}
    return Comparison(lr, result, without, bicubic, enlarged, target, scores)


def pixels_of(result: Upscaled) -> NDArray[np.uint8]:
    """(4h, 4w, 3) uint8."""
    return result.picture.in_eight_bits().rgb
