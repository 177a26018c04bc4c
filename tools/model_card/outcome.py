"""One picture shrunk to a quarter and brought back with a reference, and how well."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ttsr import Upscaler
from ttsr.evaluation.protocols import PAPER_Y
from ttsr.evaluation.scored_picture import read_reference, read_truth
from ttsr.images.resize import downscale4, upscale4


@dataclass(frozen=True)
class Outcome:
    """All (H, W, 3) uint8: lr a quarter of the truth's size, bicubic and sr of the truth's, the reference of its own.

    index: (h, w, 3) int32 on the LR grid: which reference, row and column in its pixels matched best.
    """

    lr: np.ndarray
    bicubic: np.ndarray
    reference: np.ndarray
    sr: np.ndarray
    truth: np.ndarray
    index: np.ndarray

    @property
    def psnr(self) -> float:
        """The result's, by `paper-y` in dB."""
        return PAPER_Y.psnr(self.truth, self.sr)

    @property
    def bicubic_psnr(self) -> float:
        """Bicubic's, by `paper-y` in dB."""
        return PAPER_Y.psnr(self.truth, self.bicubic)

    @property
    def gain(self) -> float:
        """Over bicubic, in dB."""
        return self.psnr - self.bicubic_psnr


def super_resolve(upscaler: Upscaler, truth: np.ndarray, reference: np.ndarray | None) -> Outcome:
    """As `paper-y` scores it: the LR is the truth's quarter, in 8 bits; the reference is cut to multiples of 4.

    Args:
        upscaler: its references are set anew.
        truth: (H, W, 3) uint8, cut to multiples of 4.
        reference: (H, W, 3) uint8 of any size from 4x4 on; None for the LR itself.

    Raises:
        UserError: it does not fit into memory.
    """
    lr = downscale4(truth)
    upscaler.set_references([] if reference is None else [reference])
    result = upscaler.upscale(lr)
    used = lr if reference is None else reference
    return Outcome(lr, upscale4(lr), used, result.picture.rgb, truth, result.index)


def read_pair(truth: Path, reference: Path) -> tuple[np.ndarray, np.ndarray]:
    """A truth, cut to multiples of 4, and its reference: (H, W, 3) uint8.

    Raises:
        ImageError: one of them cannot be read or is too small.
    """
    return read_truth(truth), read_reference(reference)
