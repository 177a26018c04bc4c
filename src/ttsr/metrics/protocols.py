"""How published TTSR scores were taken. Scores of different protocols do not compare."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ttsr.errors import UserError
from ttsr.metrics.psnr import psnr
from ttsr.metrics.ssim import WINDOW, ssim

_LUMA = np.array([65.738, 129.057, 25.064]) / 256
"""BT.601's Y of R, G and B, all on [0, 255], up to its offset of 16."""


class Score(NamedTuple):
    """PSNR in dB, and SSIM."""

    psnr: float
    ssim: float


@dataclass(frozen=True)
class Protocol:
    """A way to score one picture.

    Attributes:
        name: as on the command line.
        source: whose published figures are taken this way.
        luma: on Y instead of RGB.
        rounded: the prediction is rounded to 8 bits first.
        crop: pixels that are left out at each side.
    """

    name: str
    source: str
    luma: bool
    rounded: bool
    crop: int

    @property
    def smallest_side(self) -> int:
        """Pixels that each side of a picture needs to be scored."""
        return WINDOW + 2 * self.crop

    def score(self, target: np.ndarray, prediction: np.ndarray) -> Score:
        """Score a prediction against the truth.

        Args:
            target: (H, W, 3) uint8 RGB.
            prediction: (H, W, 3) RGB on the scale [0, 255], uint8 or float; clipped to it.

        Raises:
            UserError: the images are too small to score, or scikit-image is not installed.
        """
        return Score(self.psnr(target, prediction), ssim(self._prepare(target), self._prepare(prediction)))

    def psnr(self, target: np.ndarray, prediction: np.ndarray) -> float:
        """PSNR alone, in dB; arguments and errors as of `score`, but scikit-image is not needed."""
        return psnr(self._prepare(target), self._prepare(prediction))

    def _prepare(self, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        if min(height, width) <= 2 * self.crop:
            raise UserError(f"a picture of {width}x{height} is too small to score by {self.name}")
        kept = image[self.crop : height - self.crop, self.crop : width - self.crop]
        kept = kept.astype(np.float64).clip(0, 255)
        if self.rounded:
            kept = kept.round()
        # Y itself is not rounded. Its offset is nothing to PSNR, but SSIM depends on the mean.
        return kept @ _LUMA + 16 if self.luma else kept


PAPER_Y = Protocol("paper-y", "the paper and its authors' code", luma=True, rounded=True, crop=0)
"""Y of the whole 8-bit picture: the paper's tables, by its authors' code (researchmm/TTSR)."""

MMAGIC_RGB = Protocol("mmagic-rgb", "MMagic 1.x", luma=False, rounded=False, crop=4)
"""RGB as floats without a border of 4: what MMagic 1.x (open-mmlab/mmagic) lists."""

MMEDIT_RGB = Protocol("mmedit-rgb", "MMEditing 0.x", luma=False, rounded=True, crop=4)
"""8-bit RGB without a border of 4: MMEditing 0.x (open-mmlab/mmediting), which became MMagic."""

PROTOCOLS = {protocol.name: protocol for protocol in (PAPER_Y, MMAGIC_RGB, MMEDIT_RGB)}
