"""Protocols of published scores in reference-based super-resolution. Scores of different protocols do not compare."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ttsr.errors import UserError
from ttsr.evaluation.metrics import SSIM_WINDOW, mae, psnr, ssim
from ttsr.evaluation.natural_statistics import niqe
from ttsr.evaluation.network_inputs import Sizing
from ttsr.evaluation.perceptual_metrics import gmsd, haarpsi

# Weights of R, G and B, all on [0, 255], in BT.601's Y, up to its offset of 16, as each code base rounds them.
_LUMA_OF_TTSR = (65.738 / 256, 129.057 / 256, 25.064 / 256)
_LUMA_OF_BASICSR = (65.481 / 255, 128.553 / 255, 24.966 / 255)


class Score(NamedTuple):
    """The metrics of a prediction: PSNR in dB, MAE as a share of the range, and the others without a unit.

    NIQE, which knows nothing of the ground truth, is NaN for images of fewer than two blocks of 96x96 pixels.
    """

    psnr: float
    ssim: float
    mae: float
    gmsd: float
    haarpsi: float
    niqe: float = math.nan

    def over(self, other: "Score") -> "Score":
        """The difference to `other`; two infinite PSNRs differ by 0."""
        gain = 0.0 if self.psnr == other.psnr else self.psnr - other.psnr
        return Score(gain, *(a - b for a, b in zip(self[1:], other[1:], strict=True)))

    def texts(self) -> list[str]:
        """The metrics as tables show them, `-` for one that there is not."""
        shown = [f"{value:.{_DECIMALS.get(metric, 4)}f}" for metric, value in self._asdict().items()]
        return ["-" if text == "nan" else text for text in shown]


TITLES = {"psnr": "PSNR", "ssim": "SSIM", "mae": "MAE", "gmsd": "GMSD", "haarpsi": "HaarPSI", "niqe": "NIQE"}
"""The metrics as they are called, by their fields of `Score`."""
LOWER_IS_BETTER = frozenset({"mae", "gmsd", "niqe"})
"""The metrics that are errors; of all others more is better."""
_DECIMALS = {"psnr": 2, "niqe": 2}


def title_with_arrow(metric: str) -> str:
    """A metric's title with an arrow that points up where higher is better."""
    return f"{TITLES[metric]} {'↓' if metric in LOWER_IS_BETTER else '↑'}"


@dataclass(frozen=True)
class Protocol:
    """A way to prepare the inputs of one picture and to score the result.

    Attributes:
        name: as on the command line.
        source: the code or publication whose scores follow it.
        luma: weights of R, G and B in Y if Y is scored; None to score RGB.
        rounded: the prediction is rounded to 8 bits first.
        crop: pixels excluded at each side.
        sizing: how single references are brought to size.
        mae_crop: pixels excluded at each side for the MAE, if not `crop`.
    """

    name: str
    source: str
    luma: tuple[float, float, float] | None
    rounded: bool
    crop: int
    sizing: Sizing
    mae_crop: int | None = None

    @property
    def smallest_side(self) -> int:
        """Pixels that each side of a picture needs to be scored."""
        return SSIM_WINDOW + 2 * self.crop

    def score(self, target: np.ndarray, prediction: np.ndarray) -> Score:
        """Score an RGB prediction, (H, W, 3) uint8 or float, clipped to [0, 255], against the ground truth in uint8.

        Raises:
            UserError: the images are too small to score.
        """
        scored = self._prepare(target), self._prepare(prediction)
        rgb = self._cropped(target, self.crop), self._cropped(prediction, self.crop)
        if self.mae_crop in (None, self.crop):
            absolute = mae(*scored)
        else:
            absolute = mae(*(self._channels(self._cropped(image, self.mae_crop)) for image in (target, prediction)))
        return Score(psnr(*scored), ssim(*scored), absolute, gmsd(*rgb), haarpsi(*rgb), niqe(rgb[1]))

    def psnr(self, target: np.ndarray, prediction: np.ndarray) -> float:
        """PSNR alone, in dB; arguments and errors as of `score`."""
        return psnr(self._prepare(target), self._prepare(prediction))

    def _prepare(self, image: np.ndarray) -> np.ndarray:
        return self._channels(self._cropped(image, self.crop))

    def _cropped(self, image: np.ndarray, crop: int) -> np.ndarray:
        """RGB without a border, clipped, and rounded if the protocol rounds."""
        height, width = image.shape[:2]
        if min(height, width) <= 2 * crop:
            raise UserError(f"a picture of {width}x{height} is too small to score by {self.name}")
        kept = image[crop : height - crop, crop : width - crop].astype(np.float64).clip(0, 255)
        return kept.round() if self.rounded else kept

    def _channels(self, rgb: np.ndarray) -> np.ndarray:
        # Y itself is not rounded. PSNR ignores its offset, but SSIM depends on the mean.
        return rgb if self.luma is None else rgb @ np.array(self.luma) + 16


PAPER_Y = Protocol("paper-y", "the paper and its authors' code", _LUMA_OF_TTSR, rounded=True, crop=0, sizing="own size")
"""Y of the whole 8-bit picture: the paper's tables, by its authors' code (researchmm/TTSR)."""

MMAGIC_RGB = Protocol("mmagic-rgb", "MMagic 1.x", luma=None, rounded=False, crop=4, sizing="HR size", mae_crop=0)
"""RGB as floats without a border of 4, but the MAE with it: MMagic 1.x (open-mmlab/mmagic)."""

MMEDIT_RGB = Protocol("mmedit-rgb", "MMEditing 0.x", luma=None, rounded=True, crop=4, sizing="HR size")
"""8-bit RGB without a border of 4: MMEditing 0.x (open-mmlab/mmediting), whose scores MMagic still lists."""

C2_MATCHING = Protocol(
    "c2-matching", "C2-Matching and DATSR", _LUMA_OF_BASICSR, rounded=True, crop=4, sizing="both padded"
)
"""Y of the 8-bit picture without a border of 4: the scores in C2-Matching (yumingj/C2-Matching) and DATSR."""

C2_MATCHING_RGB = Protocol(
    "c2-matching-rgb", "C2-Matching's and DATSR's logs", luma=None, rounded=True, crop=4, sizing="both padded"
)
"""The same in RGB: the first PSNR that the two programs log."""

PROTOCOLS = {p.name: p for p in (PAPER_Y, MMAGIC_RGB, MMEDIT_RGB, C2_MATCHING, C2_MATCHING_RGB)}
"""The published protocols, by name."""
