"""One picture shrunk to a quarter, super-resolved with a reference, and compared with the ground truth."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ttsr import Upscaler
from ttsr.evaluation.protocols import PAPER_Y
from ttsr.evaluation.scored_picture import read_ground_truth, read_reference
from ttsr.evaluation.worst_square import worst_square
from ttsr.images.panels import matched_detail, side_by_side
from ttsr.images.resize import downscale4, upscale4, upscale4_nearest
from ttsr.system.files import atomic_path

DETAIL_SIDE = 96
"""Side of the enlarged detail, in pixels of the ground truth."""
PANEL_WIDTH = 3 * DETAIL_SIDE
_JPEG_QUALITY = 90

Pair = tuple[np.ndarray, np.ndarray]
"""Ground truth and reference, each (H, W, 3) uint8."""


@dataclass(frozen=True)
class Comparison:
    """A result beside its inputs, all (H, W, 3) uint8.

    Attributes:
        lr: a quarter of the ground truth's size.
        bicubic: the LR enlarged by bicubic.
        reference: of any size.
        sr: the model's result.
        hr: the ground truth.
        index: (h, w, 3) int32 on the LR grid: number, row and column, in pixels, of the reference's best match.
    """

    lr: np.ndarray
    bicubic: np.ndarray
    reference: np.ndarray
    sr: np.ndarray
    hr: np.ndarray
    index: np.ndarray

    @property
    def psnr(self) -> float:
        """PSNR of the result by `paper-y`, in dB."""
        return PAPER_Y.psnr(self.hr, self.sr)

    @property
    def bicubic_psnr(self) -> float:
        """PSNR of bicubic by `paper-y`, in dB."""
        return PAPER_Y.psnr(self.hr, self.bicubic)

    @property
    def gain(self) -> float:
        """Gain in PSNR over bicubic, in dB."""
        return self.psnr - self.bicubic_psnr

    def picture(self, model: str) -> Image.Image:
        """Draw LR, bicubic, reference, result and ground truth side by side.

        The detail is selected without a person's choice: the square with the largest error of bicubic; in the
        reference the square that most of its matches came from.
        """
        side = min(DETAIL_SIDE, *self.hr.shape[:2])
        detail = worst_square(self.hr, self.bicubic, side)
        height, width = self.reference.shape[:2]
        pictures = {
            "small photo": upscale4_nearest(self.lr),
            f"bicubic {self.bicubic_psnr:.2f} dB": self.bicubic,
            "reference": self.reference,
            f"{model} {self.psnr:.2f} dB ({self.gain:+z.2f})": self.sr,
            "ground truth": self.hr,
        }
        source = matched_detail(self.index, detail, side, (height, width))
        return side_by_side(pictures, detail, side, elsewhere={"reference": source}, panel_width=PANEL_WIDTH)

    def save(self, model: str, path: Path) -> None:
        """Write the side-by-side picture as JPEG, completely or not at all; the folder must exist.

        Raises:
            OSError: it cannot be written.
        """
        with atomic_path(path) as temporary:
            self.picture(model).save(temporary, "JPEG", quality=_JPEG_QUALITY, subsampling=0, optimize=True)


def compare(upscaler: Upscaler, hr: np.ndarray, reference: np.ndarray | None) -> Comparison:
    """Super-resolve a ground truth from its quarter, as `paper-y` scores it.

    Args:
        upscaler: its references are replaced.
        hr: (H, W, 3) uint8, H and W multiples of 4.
        reference: (H, W, 3) uint8 of any size from 4x4 on; None for no reference.

    Raises:
        UserError: it does not fit into memory.
    """
    lr = downscale4(hr)
    upscaler.set_references([] if reference is None else [reference])
    result = upscaler.upscale(lr)
    used = lr if reference is None else reference
    return Comparison(lr, upscale4(lr), used, result.picture.rgb, hr, result.index)


def read_pair(hr: Path, reference: Path) -> Pair:
    """Read a ground truth, cut to multiples of 4, and its reference.

    Raises:
        ImageError: one of them is unreadable or too small.
    """
    return read_ground_truth(hr), read_reference(reference)
