"""Reconstruction loss (equation 10)."""

from torch import Tensor


def reconstruction_loss(sr: Tensor, hr: Tensor) -> Tensor:
    """Mean L1 distance in [-1, 1], as published: twice that of the images (B, 3, H, W) in [0, 1], which are given."""
    return 2 * (sr - hr).abs().mean()
