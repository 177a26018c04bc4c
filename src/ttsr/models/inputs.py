"""What a forward pass is given, checked and completed."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ttsr.errors import UserError
from ttsr.models.config import SCALE
from ttsr.models.correspondence.types import EncodedReference, Grid


@dataclass(frozen=True)
class ReferenceImage:
    """A reference that is still to be encoded, of whole cells.

    Attributes:
        ref: (B, 3, H, W), float in [0, 1], or uint8 or uint16 of their whole range.
        ref_blur: the same at a quarter of its size and back, of any of these types.
        mask: (B, H/4, W/4) bool, the cells that may be matched; None for all.
    """

    ref: Tensor
    ref_blur: Tensor
    mask: Tensor | None

    @property
    def grid(self) -> Grid:
        """(H/4, W/4)."""
        return self.ref.shape[2] // SCALE, self.ref.shape[3] // SCALE


ReferenceInput = Tensor | ReferenceImage | EncodedReference

# What resizing by the bicubic filter can make of values in [0, 1], and room beyond.
_LOWEST, _HIGHEST = -1.0, 2.0


@dataclass(frozen=True)
class Inputs:
    """An LR image, its enlarged copy, and the references, encoded or still to be encoded.

    Attributes:
        lr: (B, 3, h, w) in [0, 1].
        lr_up: (B, 3, 4h, 4w), float in [0, 1] or integers.
        references: of any sizes.
    """

    lr: Tensor
    lr_up: Tensor
    references: list[ReferenceImage | EncodedReference]

    @property
    def lr_grid(self) -> Grid:
        """(h, w)."""
        return self.lr.shape[2], self.lr.shape[3]


def check_inputs(
    lr: Tensor,
    ref: ReferenceInput | Sequence[ReferenceInput],
    lr_up: Tensor | None,
    ref_blur: Tensor | Sequence[Tensor] | None,
    ref_mask: Tensor | Sequence[Tensor | None] | None,
) -> Inputs:
    """See that all sizes fit, and make by bicubic resizing what is not given.

    Raises:
        UserError: sizes, channels or numbers do not fit, or values are not finite or far beyond [0, 1].
    """
    _check(lr, "lr", 1)
    if not lr.is_floating_point():
        raise UserError(f"lr must be float, not {lr.dtype}")
    references = list(ref) if isinstance(ref, Sequence) else [ref]
    blurred = _one_each(ref_blur, len(references), "blurred ones")
    masks = _one_each(ref_mask, len(references), "masks")
    if lr_up is None:
        lr_up = resize(lr, SCALE)
    else:
        _check(lr_up, "lr_up", SCALE)
        if lr_up.shape != (*lr.shape[:2], SCALE * lr.shape[2], SCALE * lr.shape[3]):
            raise UserError(f"lr_up is {tuple(lr_up.shape)}, which is not 4 x lr {tuple(lr.shape)}")
    for reference in references:
        match reference:
            case EncodedReference():
                batch = reference.keys.shape[0]
            case ReferenceImage():
                batch = reference.ref.shape[0]
            case _:
                _check(reference, "ref", SCALE)
                batch = reference.shape[0]
        if batch != lr.shape[0]:
            raise UserError(f"a batch of {lr.shape[0]} LR images with one of {batch} references")
    checked: list[ReferenceImage | EncodedReference] = []
    for reference, blur, mask in zip(references, blurred, masks, strict=True):
        if isinstance(reference, Tensor):
            checked.append(check_reference(reference, blur, mask))
        elif mask is not None:
            raise UserError("a mask for a reference that is encoded or checked already: give it to encode_reference")
        else:
            checked.append(reference)
    return Inputs(lr, lr_up, checked)


def check_reference(ref: Tensor, ref_blur: Tensor | None, mask: Tensor | None) -> ReferenceImage:
    """A reference cut to whole cells, with a blurred copy.

    Raises:
        UserError: sizes or channels do not fit, or values are not finite or far beyond [0, 1].
    """
    _check(ref, "ref", SCALE)
    if ref_blur is not None:
        _check(ref_blur, "ref_blur", SCALE)
        if ref_blur.shape != ref.shape:
            raise UserError(f"ref_blur is {tuple(ref_blur.shape)}, ref {tuple(ref.shape)}")
    ref = _whole_cells(ref)
    blurred = resize(resize(ref, 1 / SCALE), SCALE) if ref_blur is None else _whole_cells(ref_blur)
    checked = ReferenceImage(ref, blurred, mask)
    if mask is not None and (mask.dtype != torch.bool or mask.shape != (ref.shape[0], *checked.grid)):
        wanted = f"bool {(ref.shape[0], *checked.grid)}"
        raise UserError(f"the mask of a reference must be {wanted}, not {mask.dtype} {tuple(mask.shape)}")
    return checked


def unit_range(image: Tensor) -> Tensor:
    """An image, or part of one, in [0, 1]: integers divided by the largest of their type, others as they are."""
    return image if image.is_floating_point() else image.float().div_(torch.iinfo(image.dtype).max)


def resize(image: Tensor, scale: float) -> Tensor:
    """Antialiased bicubic, clamped to [0, 1]: (B, 3, H, W), float or integers, to (B, 3, scale H, scale W)."""
    size = [round(side * scale) for side in image.shape[2:]]
    return F.interpolate(unit_range(image), size=size, mode="bicubic", antialias=True).clamp(0, 1)


def _one_each(given: Tensor | Sequence[Tensor | None] | None, number: int, what: str) -> list[Tensor | None]:
    """What is given for each of `number` references: a tensor for the only one, a sequence, or nothing."""
    if given is None:
        return [None] * number
    each: list[Tensor | None] = [*given] if isinstance(given, Sequence) else [given]
    if len(each) != number:
        raise UserError(f"{number} references with {len(each)} {what}")
    return each


def _whole_cells(image: Tensor) -> Tensor:
    height, width = (side // SCALE * SCALE for side in image.shape[2:])
    return image[:, :, :height, :width]


def _check(image: Tensor, name: str, smallest: int) -> None:
    """See that it is an image: type, shape and values; the latter without gradients alone, for they hold up a GPU."""
    if not isinstance(image, Tensor):
        raise UserError(f"{name} must be a tensor, not {type(image).__name__}")
    sizes = f"float, uint8 or uint16 (B, 3, H, W), H and W at least {smallest}"
    what = f"{name} must be {sizes}, not {image.dtype} {tuple(image.shape)}"
    if image.layout != torch.strided or image.is_meta:
        raise UserError(f"{what}, which holds no pixels", "give a dense tensor of a device")
    good = image.dim() == 4 and image.shape[1] == 3 and min(image.shape[2:]) >= smallest and image.shape[0] > 0
    if not good or not (image.is_floating_point() or image.dtype in (torch.uint8, torch.uint16)):
        raise UserError(what)
    if image.is_floating_point() and not torch.is_grad_enabled() and not torch.compiler.is_compiling():
        low, high = (float(value) for value in image.aminmax())
        if not (low >= _LOWEST and high <= _HIGHEST):  # also of NaN
            remedy = "give values in [0, 1], 0 for black and 1 for white"
            raise UserError(f"{name} holds values from {low:g} to {high:g}", remedy)
