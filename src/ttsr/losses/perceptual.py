"""Perceptual loss (equation 12, first term)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def perceptual_loss(features: Callable[[Tensor], Tensor], sr: Tensor, hr: Tensor) -> Tensor:
    """Mean squared difference between the features of SR and HR, (B, 3, H, W) in [0, 1]; HR carries no gradient.

    `features` maps images to one tensor; published: `ttsr.models.VGG19`, relu5_1.
    """
    with torch.no_grad():
        target = features(hr)
    return F.mse_loss(features(sr), target)
