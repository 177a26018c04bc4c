"""The trunk: a single-image network on the LR grid, whose features and image the texture transformer builds on.

Not in the paper. A convolution on the LR grid costs a sixteenth of one on the 4x grid, so this is where depth and width
are cheap. Like EDSR (Lim et al., CVPRW 2017) it has residual blocks without normalisation; what it adds to the bicubic
enlargement comes from its features by one convolution and a pixel shuffle.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from ttsr.models.blocks import ResidualChain
from ttsr.models.config import SCALE
from ttsr.models.convolution import Conv3x3


class Trunk(nn.Module):
    """RGB in [-1, 1] to features and detail, both on the LR grid.

    Args:
        channels: width.
        num_blocks: residual blocks.
        res_scale: factor of the residual in every one.
    """

    def __init__(self, channels: int, num_blocks: int, res_scale: float = 1.0) -> None:
        super().__init__()
        self.head = Conv3x3(3, channels)
        self.chain = ResidualChain(channels, num_blocks, res_scale)
        self.detail = Conv3x3(channels, 3 * SCALE**2)

    def forward(self, lr: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, h, w) to features (B, C, h, w) and detail (B, 48, h, w), which `detail_image` makes an image."""
        start = self.head(lr)
        features = self.chain(start, start)
        return features, self.detail(features)


def detail_image(detail: Tensor) -> Tensor:
    """What the trunk adds to the bicubic enlargement in [-1, 1]: (B, 48, h, w) to (B, 3, 4h, 4w)."""
    return F.pixel_shuffle(detail, SCALE)
