"""One training pair, and the tensors that a batch of them makes."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ttsr.images.resize import degrade, downscale4, upscale4
from ttsr.images.tensors import to_tensor

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Pair:
    """hr and ref: (H, W, 3) uint8 RGB, sides multiples of 4.

    to_ref: 3x3 homography from pixel coordinates (x, y) of hr to those of ref, the corner of the first pixel at (0, 0);
    None where it is not known.
    """

    hr: Pixels
    ref: Pixels
    to_ref: NDArray[np.floating] | None = None


@dataclass(frozen=True)
class Batch:
    """Images are float (B, 3, H, W) in [0, 1]; to_ref (B, 3, 3), known (B,) bool."""

    hr: Tensor
    lr: Tensor
    lr_up: Tensor
    ref: Tensor
    ref_blur: Tensor
    to_ref: Tensor
    known: Tensor

    def to(self, device: torch.device) -> "Batch":
        return Batch(*(getattr(self, field.name).to(device, non_blocking=True) for field in fields(self)))


def collate(pairs: list[Pair]) -> Batch:
    """Degrade as the weights are used: Pillow bicubic with 8-bit rounding in between."""
    lr = [downscale4(pair.hr) for pair in pairs]
    to_ref = np.stack([np.eye(3) if pair.to_ref is None else pair.to_ref for pair in pairs])
    return Batch(
        hr=to_tensor(*(pair.hr for pair in pairs)),
        lr=to_tensor(*lr),
        lr_up=to_tensor(*(upscale4(image) for image in lr)),
        ref=to_tensor(*(pair.ref for pair in pairs)),
        ref_blur=to_tensor(*(degrade(pair.ref) for pair in pairs)),
        to_ref=torch.from_numpy(to_ref).float(),
        known=torch.tensor([pair.to_ref is not None for pair in pairs]),
    )
