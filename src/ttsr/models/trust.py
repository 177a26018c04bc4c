"""Soft attention that has learned how far to believe a match; goes with `alignment`, and is not in the paper.

The cosine of a match is high for anything smooth, right or wrong. How well the pixels correlate, and whether the
neighbours match beside it, tell more.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_CHANNELS = 16


class Trust(nn.Module):
    """Relevance, correlation and coherence to one soft-attention map for each level of texture.

    Begins as the relevance itself at every level.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, _CHANNELS, 3, padding=1)
        self.conv2 = nn.Conv2d(_CHANNELS, 3, 1)
        for parameter in self.conv2.parameters():
            nn.init.zeros_(parameter)

    def forward(self, relevance: Tensor, correlation: Tensor, coherence: Tensor) -> Tensor:
        """Three maps (B, 1, h, w) to (B, 3, h, w), coarse to fine: the relevance times a factor between 0 and 2."""
        seen = torch.cat([relevance, correlation.to(relevance), coherence.to(relevance)], 1)
        return relevance * 2 * torch.sigmoid(self.conv2(F.relu(self.conv1(seen))))
