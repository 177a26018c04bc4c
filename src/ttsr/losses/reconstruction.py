"""Reconstruction loss (equation 10)."""

from torch import Tensor

from ttsr.losses.kinds import RecKind


def reconstruction_loss(sr: Tensor, hr: Tensor, kind: RecKind = "l1", eps: float = 1e-12) -> Tensor:
    """Mean distance of images (B, 3, H, W) in [0, 1], as that of images in [-1, 1], in which it is published.

    With d the difference of a value in [-1, 1], twice that in [0, 1]: `l1` is |d|, `mse` d^2 and `charbonnier`
    sqrt(d^2 + eps).
    """
    if kind == "l1":
        return 2 * (sr - hr).abs().mean()
    squares = (2 * (sr - hr)).square()
    return squares.mean() if kind == "mse" else (squares + eps).sqrt().mean()
