"""Perceptual loss: the first term of equation 12, the distance of the images' features."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def perceptual_loss(features: Callable[[Tensor], Tensor], sr: Tensor, hr: Tensor) -> Tensor:
    """Mean squared difference between the features of SR and HR, images (B, 3, H, W) in [0, 1].

    features: any map from images to one tensor; published: `models.vgg.VGG19`, relu5_1. HR's carry no gradient.
    """
    with torch.no_grad():
        wanted = features(hr)
    return F.mse_loss(features(sr), wanted)
