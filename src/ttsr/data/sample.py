"""One training pair, or HR crop without a reference, and the tensors that a batch of them makes."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ttsr.data.crops import Pixels8
from ttsr.geometry import Homography
from ttsr.images.picture import to_tensor
from ttsr.images.resize import SCALE, blur_by_resize, downscale4, upscale4


@dataclass(frozen=True)
class Pair:
    """A training pair: an HR crop and its reference. Sides are multiples of 4.

    Attributes:
        hr: (H, W, 3) uint8 RGB, the ground truth.
        ref: (H', W', 3) uint8 RGB; None for none, for what is trained without one.
        to_ref: from points of hr to points of ref; None where it is not known.
        lr: (H/4, W/4, 3) uint8; None for what Pillow's bicubic makes of hr.
        lr_up: (H, W, 3) uint8; None for what Pillow's bicubic makes of lr.
        ref_blur: as ref; None for what Pillow's bicubic makes of ref.
        ref_mask: (H'/4, W'/4) bool, False where a cell of 4x4 pixels is padding; None where nothing is masked.
        skipped: pictures that were unusable while this pair was made, 'name: reason'.
    """

    hr: Pixels8
    ref: Pixels8 | None
    to_ref: Homography | None = None
    lr: Pixels8 | None = None
    lr_up: Pixels8 | None = None
    ref_blur: Pixels8 | None = None
    ref_mask: NDArray[np.bool_] | None = None
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Batch:
    """The tensors of B pairs. Images are float in [0, 1].

    Attributes:
        hr: (B, 3, H, W).
        lr: (B, 3, H/4, W/4).
        lr_up: (B, 3, H, W).
        ref: (B, 3, H', W'); None without references.
        ref_blur: (B, 3, H', W'); None without references.
        to_ref: (B, 3, 3), from points of hr to points of ref.
        known: (B,) bool, whether to_ref is known.
        ref_mask: (B, H'/4, W'/4) bool, False where the reference is padding; None if nothing is masked.
        skipped: pictures that were unusable while the batch was made, each once, 'name: reason'.
    """

    hr: Tensor
    lr: Tensor
    lr_up: Tensor
    ref: Tensor | None
    ref_blur: Tensor | None
    to_ref: Tensor
    known: Tensor
    ref_mask: Tensor | None = None
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.hr.shape[0]

    def to(self, device: torch.device) -> "Batch":
        """A copy on `device`."""
        return replace(self, **{name: value.to(device, non_blocking=True) for name, value in self._tensors().items()})

    def pin_memory(self) -> "Batch":
        """A copy in page-locked memory; a DataLoader with `pin_memory` calls it."""
        return replace(self, **{name: value.pin_memory() for name, value in self._tensors().items()})

    def _tensors(self) -> dict[str, Tensor]:
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}


def collate(pairs: list[Pair]) -> Batch:
    """Stack pairs, and degrade them as the weights are used: Pillow's bicubic, rounded to 8 bit in between."""
    lr = [downscale4(pair.hr) if pair.lr is None else pair.lr for pair in pairs]
    lr_up = [upscale4(small) if pair.lr_up is None else pair.lr_up for pair, small in zip(pairs, lr, strict=True)]
    given = [(pair.ref, pair.ref_blur) for pair in pairs if pair.ref is not None]
    refs = [ref for ref, _ in given]
    ref_blur = [blur_by_resize(ref) if blurred is None else blurred for ref, blurred in given]
    to_ref = np.stack([np.eye(3) if pair.to_ref is None else pair.to_ref for pair in pairs])
    ref_mask = None
    if not all(pair.ref_mask is None or pair.ref_mask.all() for pair in pairs):
        unmasked = np.ones([side // SCALE for side in refs[0].shape[:2]], dtype=bool)
        masks = [unmasked if pair.ref_mask is None else pair.ref_mask for pair in pairs]
        ref_mask = torch.from_numpy(np.stack(masks))
    return Batch(
        hr=to_tensor(*(pair.hr for pair in pairs)),
        lr=to_tensor(*lr),
        lr_up=to_tensor(*lr_up),
        ref=to_tensor(*refs) if refs else None,
        ref_blur=to_tensor(*ref_blur) if refs else None,
        to_ref=torch.from_numpy(to_ref).float(),
        known=torch.tensor([pair.to_ref is not None for pair in pairs]),
        ref_mask=ref_mask,
        skipped=tuple(dict.fromkeys(reason for pair in pairs for reason in pair.skipped)),
    )
