"""Variants of the losses, as recipes name them. Without torch, so that recipes are read without waiting for it."""

from typing import Literal

RecKind = Literal["l1", "mse", "charbonnier"]
Criterion = Literal["mse", "l1"]
TransferalLevels = Literal["sum", "mean"]
TransferalAttention = Literal["none", "sigmoid", "mmagic"]
AdversarialKind = Literal["bce", "vanilla", "lsgan", "hinge", "wgan", "wgan-gp", "ragan", "rsgan"]
