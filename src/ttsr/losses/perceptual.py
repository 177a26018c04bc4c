"""Perceptual losses (equation 12): of features of the image, and of the transferred textures."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call


def perceptual_loss(features: Callable[[Tensor], Tensor], sr: Tensor, hr: Tensor) -> Tensor:
    """Mean squared difference between the features of SR and HR, (B, 3, H, W) in [0, 1]; HR carries no gradient.

    `features` maps images to one tensor; published: `ttsr.models.VGG19`, relu5_1.
    """
    with torch.no_grad():
        target = features(hr)
    return F.mse_loss(features(sr), target)


def transferal_loss(
    extractor: nn.Module, sr: Tensor, textures: Sequence[Tensor], over_levels: Literal["sum", "mean"]
) -> Tensor:
    """Mean squared difference between the extractor's levels of SR and the transferred textures.

    Gradients flow to SR and to the textures, and so to the extractor through the textures, but not through SR's
    features: as in both public implementations, which keep a frozen copy of the current extractor for them.

    Args:
        extractor: a `LearnableTextureExtractor`.
        sr: (B, 3, 4h, 4w) in [0, 1].
        textures: coarse to fine: (B, C3, h, w), (B, C2, 2h, 2w), (B, C1, 4h, 4w).
        over_levels: `sum` of the three levels (MMagic) or `mean` (the authors).
    """
    frozen = {name: parameter.detach() for name, parameter in extractor.named_parameters()}
    levels = functional_call(extractor, frozen, (sr,))
    terms = [F.mse_loss(level, texture) for level, texture in zip(levels, textures, strict=True)]
    total = torch.stack(terms).sum()
    return total / len(terms) if over_levels == "mean" else total
