"""What a forward pass of TTSR returns."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ttsr.models.correspondence.types import Matches, Refinement


@dataclass(frozen=True)
class TTSROutput:
    """What a forward pass returns.

    Attributes:
        sr: (B, 3, 4h, 4w) RGB; in [0, 1] in eval mode, not clamped while training; integers where these are asked for.
        matches: relevance (B, 1, h, w), 0 without a reference, and index (B, h, w), -1 without a reference.
        attention: (B, 3, h, w), how far each level's texture is let in, coarse to fine: S as published, or the learned
            match confidence.
        refinement: the matches to the pixel; None for the published network or without a reference.
        textures: transferred textures, coarse to fine: (B, C3, h, w), (B, C2, 2h, 2w), (B, C1, 4h, 4w); None if not
            kept or without a reference.
        queries: (B, C3, h, w), the features of lr_up that were matched; None in the same cases.
        base: the result without a reference, as `sr`; None for a network without a trunk, or with `keep_textures=False`
            where nothing has a gradient.
    """

    sr: Tensor
    matches: Matches
    attention: Tensor
    refinement: Refinement | None
    textures: tuple[Tensor, Tensor, Tensor] | None
    queries: Tensor | None
    base: Tensor | None = None

    @property
    def relevance(self) -> Tensor:
        """S, (B, 1, h, w)."""
        return self.matches.relevance

    @property
    def index(self) -> Tensor:
        """The best key of each LR cell, (B, h, w)."""
        return self.matches.index


def rounded(image: Tensor, integers: torch.dtype | None) -> Tensor:
    """An image, 0 for black and 1 for white, as it is or rounded to integers of a type's whole range."""
    if integers is None:
        return image
    largest = torch.iinfo(integers).max
    values = image.float().mul(largest).round_().clamp_(0, largest)
    # By way of 32 bits: not all devices convert to uint16 directly.
    return values.to(integers) if integers == torch.uint8 else values.to(torch.int32).to(integers)
