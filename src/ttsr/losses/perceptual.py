"""Perceptual losses (equation 12): of features of the image, of their style, and of the transferred textures."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from ttsr.losses.kinds import Criterion, TransferalAttention, TransferalLevels
from ttsr.models.blocks import bicubic_up

_CRITERIA = {"mse": F.mse_loss, "l1": F.l1_loss}


def perceptual_loss(
    on_sr: Sequence[Tensor], on_hr: Sequence[Tensor], weights: Sequence[float] = (1.0,), criterion: Criterion = "mse"
) -> Tensor:
    """Mean squared (or, by `l1`, absolute) difference of the features of SR and HR, weighted and summed over layers.

    Features of HR carry no gradient. Published: relu5_1 of `ttsr.models.VGG19` alone, squared.

    Args:
        on_sr: features of SR, (B, C, H, W) for each layer.
        on_hr: those of HR.
        weights: one for each layer.
        criterion: of the two.
    """
    layers = zip(weights, on_sr, on_hr, strict=True)
    return torch.stack([weight * _CRITERIA[criterion](sr, hr.detach()) for weight, sr, hr in layers]).sum()


def style_loss(
    on_sr: Sequence[Tensor], on_hr: Sequence[Tensor], weights: Sequence[float] = (1.0,), criterion: Criterion = "l1"
) -> Tensor:
    """`perceptual_loss` of Gram matrices: products of channels, averaged over places and divided by the channels."""
    return perceptual_loss([_gram(layer) for layer in on_sr], [_gram(layer) for layer in on_hr], weights, criterion)


def transferal_loss(
    extractor: nn.Module,
    sr: Tensor,
    textures: Sequence[Tensor],
    over_levels: TransferalLevels,
    criterion: Criterion = "mse",
    relevance: Tensor | None = None,
    attention: TransferalAttention = "none",
) -> Tensor:
    """Mean squared (or absolute) difference between the extractor's levels of SR and the transferred textures.

    Gradients flow to SR and to the textures, and so to the extractor through the textures, but not through SR's
    features: as in both public implementations, which keep a frozen copy of the current extractor for them.

    Args:
        extractor: a `LearnableTextureExtractor`.
        sr: (B, 3, 4h, 4w) in [0, 1].
        textures: coarse to fine: (B, C3, h, w), (B, C2, 2h, 2w), (B, C1, 4h, 4w).
        over_levels: `sum` of the three levels (MMagic) or `mean` (the authors).
        criterion: `mse` or `l1`.
        relevance: S (B, 1, h, w), if `attention` is not `none`; gets a gradient too.
        attention: what features and textures are multiplied by: nothing, the `sigmoid` of S up-sampled (the authors'
            `tpl_use_S`), or that at the coarse level and S itself at the others (`mmagic`, its `use_attention`).
    """
    frozen = {name: parameter.detach() for name, parameter in extractor.named_parameters()}
    levels = functional_call(extractor, frozen, (sr,))
    terms = []
    for factor, level, texture in zip((1, 2, 4), levels, textures, strict=True):
        if attention != "none":
            assert relevance is not None
            share = relevance if factor == 1 else bicubic_up(relevance, factor)
            share = share if attention == "mmagic" and factor > 1 else share.sigmoid()
            level, texture = level * share, texture * share
        terms.append(_CRITERIA[criterion](level, texture))
    total = torch.stack(terms).sum()
    return total / len(terms) if over_levels == "mean" else total


def _gram(features: Tensor) -> Tensor:
    """(B, C, H, W) to (B, C, C)."""
    _, channels, height, width = features.shape
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / (channels * height * width)
