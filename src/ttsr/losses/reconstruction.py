"""Reconstruction loss (equation 10)."""

from torch import Tensor


def reconstruction_loss(sr: Tensor, hr: Tensor) -> Tensor:
    """Mean L1 distance of images (B, 3, H, W) in [0, 1], doubled: published is that of images in [-1, 1]."""
    return 2 * (sr - hr).abs().mean()
