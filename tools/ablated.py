"""The networks of the paper's ablation (Yang et al., CVPR 2020, tables 2 and 3), and one that goes beyond.

Each is a TTSR in which a few modules are swapped for others that leave a step out, so that training, search, transfer
and scoring are the same code for all of them. Modules that stay begin with the same weights in every row.
"""

from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor, nn

from ttsr.models.blocks import conv_of_parts
from ttsr.models.config import TTSRConfig
from ttsr.models.convolution import Conv3x3
from ttsr.models.synthesis import Merge, SoftAttention, SynthesisNetwork
from ttsr.models.ttsr import TTSR

# Pixels that a match may be moved by: half a cell.
RADIUS = 2


@dataclass(frozen=True)
class Variant:
    """A row of the table; called with sizes it makes the row's network.

    transfers: textures enter at all (equation 8). soft: they do so by their relevance S, else with weight 1. trained:
    the extractor is trained along, else it stays as it began. exchanges: cross-scale feature integration (section 3.2).
    aligns: matches are moved to the pixel and trusted as learned, which the paper's network does not (`TTSRConfig`).
    """

    name: str
    adds: str
    transfers: bool = True
    soft: bool = True
    trained: bool = True
    exchanges: bool = True
    aligns: bool = False

    def __call__(self, config: TTSRConfig) -> TTSR:
        model = TTSR(replace(config, refinement_radius=RADIUS if self.aligns else 0))
        for level in ("attention1", "attention2", "attention4"):
            if not self.transfers:
                model.synthesis.add_module(level, NoAttention())
            elif not self.soft:
                model.synthesis.add_module(level, HardAttention(model.synthesis.get_submodule(level)))
        if not self.exchanges:
            _keep_scales_apart(model.synthesis, config.channels)
        # Not by a rate of 0: gradients that move nothing would still count when the gradient is clipped.
        model.extractor.requires_grad_(self.transfers and self.trained)
        return model

    def num_parameters(self, config: TTSRConfig) -> int:
        """Parameters that the row's output depends on, a fixed extractor's among them."""
        model = self(config)
        used = [model.synthesis, model.transfer, model.extractor] if self.transfers else [model.synthesis]
        return sum(parameter.numel() for part in used for parameter in part.parameters())


VARIANTS = (
    Variant("base", "no transfer", transfers=False, soft=False, trained=False, exchanges=False),
    Variant("hard", "+ hard attention", soft=False, trained=False, exchanges=False),
    Variant("soft", "+ soft attention", trained=False, exchanges=False),
    Variant("trained", "+ trained extractor", exchanges=False),
    Variant("csfi", "+ CSFI: the full network"),
    Variant("aligned", "+ matches to the pixel, trust", aligns=True),
)


class NoAttention(nn.Module):
    """In place of `SoftAttention`: F, whatever was transferred. The output then does not depend on the reference."""

    def forward(self, x: Tensor, texture: Tensor, relevance: Tensor) -> Tensor:
        return x


class HardAttention(nn.Module):
    """In place of `SoftAttention`: F + conv(cat(F, T)), equation 8 with S = 1."""

    def __init__(self, soft: nn.Module) -> None:
        super().__init__()
        assert isinstance(soft, SoftAttention)
        self.conv = soft.conv

    def forward(self, x: Tensor, texture: Tensor, relevance: Tensor) -> Tensor:
        return x + conv_of_parts(self.conv, x, texture)


class NoExchange(nn.Module):
    """In place of the integrations: each scale keeps its own features."""

    def forward(self, *scales: Tensor) -> tuple[Tensor, ...]:
        return scales


class NoChain(nn.Module):
    """In place of the chains of the coarser scales, which serve the integration alone."""

    def forward(self, x: Tensor, start: Tensor) -> Tensor:
        return x


class FinestAlone(nn.Module):
    """In place of `Merge`: the 4x features alone to RGB, by the same three convolutions."""

    def __init__(self, merge: Merge, channels: int) -> None:
        super().__init__()
        self.conv = Conv3x3(channels, channels)
        self.tail1, self.tail2 = merge.tail1, merge.tail2

    def forward(self, x1: Tensor, x2: Tensor, x4: Tensor) -> Tensor:
        return self.tail2(self.tail1(F.relu(self.conv(x4))))


def _keep_scales_apart(synthesis: SynthesisNetwork, channels: int) -> None:
    """One path through the scales: 1x features, up-sampled, 2x features, up-sampled, 4x features, image."""
    for name in ("integration2", "integration4"):
        synthesis.add_module(name, NoExchange())
    for name in ("chain2_1", "chain4_1", "chain4_2"):
        synthesis.add_module(name, NoChain())
    synthesis.add_module("merge", FinestAlone(synthesis.merge, channels))
