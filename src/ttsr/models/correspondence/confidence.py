"""Match confidence: soft attention learned from several measures of a match. Not in the paper.

The cosine of a match is high for anything smooth, right or wrong. How well the pixels correlate, and whether the
neighbours' matches lie side by side, say more.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ttsr.models.convolution import Conv2d

_CHANNELS = 16


class MatchConfidence(nn.Module):
    """Relevance, ZNCC and coherence of the matches to one soft-attention map for each texture level.

    Untrained, it returns the relevance for every level.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = Conv2d(3, _CHANNELS, 3, padding=1)
        self.conv2 = Conv2d(_CHANNELS, 3, 1)
        for parameter in self.conv2.parameters():
            nn.init.zeros_(parameter)

    def forward(self, relevance: Tensor, zncc: Tensor, coherence: Tensor) -> Tensor:
        """Three maps (B, 1, h, w) to (B, 3, h, w), coarse to fine: the relevance times a factor between 0 and 2."""
        measures = torch.cat([relevance, zncc.to(relevance), coherence.to(relevance)], 1)
        return relevance * 2 * torch.sigmoid(self.conv2(F.relu(self.conv1(measures))))
