"""Transferal perceptual loss: the second term of equation 12, the distance of SR's textures to the transferred ones."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call


def transferal_loss(
    extractor: nn.Module, sr: Tensor, textures: Sequence[Tensor], over_levels: Literal["sum", "mean"]
) -> Tensor:
    """Mean squared difference between the extractor's levels of SR and the transferred textures.

    extractor: `models.extractor.LearnableTextureExtractor`. sr: (B, 3, 4h, 4w) in [0, 1]. textures: coarse to fine,
    (B, C3, h, w), (B, C2, 2h, 2w), (B, C1, 4h, 4w). over_levels: MMagic sums the three levels, the authors average.

    Gradients flow to SR and to the textures, and so to the extractor by way of the textures, but not by way of SR's
    features: as in both public implementations, which keep a frozen copy of the current extractor for them.
    """
    frozen = {name: parameter.detach() for name, parameter in extractor.named_parameters()}
    levels = functional_call(extractor, frozen, (sr,))
    terms = [F.mse_loss(level, texture) for level, texture in zip(levels, textures, strict=True)]
    total = torch.stack(terms).sum()
    return total / len(terms) if over_levels == "mean" else total
