"""The networks of the paper's ablation (Yang et al., CVPR 2020, tables 2 and 3), and one beyond the paper.

Each is a TTSR with some modules replaced by others that omit a step, so that training, search, transfer and scoring are
the same code for all. The other modules have the same initial weights in every row.
"""

from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor, nn

from ttsr.models.blocks import conv_of_parts
from ttsr.models.config import TTSRConfig
from ttsr.models.convolution import Conv3x3
from ttsr.models.synthesis import Merge, SoftAttention, SynthesisNetwork
from ttsr.models.ttsr import TTSR

RADIUS = 2
"""Radius of the match refinement in pixels: half a cell."""


@dataclass(frozen=True)
class Variant:
    """A row of the table. Called with sizes it makes the row's network.

    Attributes:
        name: of the row's run.
        label: of the row in the table.
        transfers: textures are transferred (equation 8).
        soft: they are weighted by their relevance S, else by 1.
        trained: the extractor is trained too, else it keeps its initial weights.
        csfi: cross-scale feature integration (section 3.2).
        refines: match refinement and confidence (`TTSRConfig.refinement_radius`), which the paper does not have.
    """

    name: str
    label: str
    transfers: bool = True
    soft: bool = True
    trained: bool = True
    csfi: bool = True
    refines: bool = False

    def __call__(self, config: TTSRConfig) -> TTSR:
        """The network of this variant."""
        model = TTSR(replace(config, refinement_radius=RADIUS if self.refines else 0))
        for level in ("attention1", "attention2", "attention4"):
            if not self.transfers:
                model.synthesis.add_module(level, NoAttention())
            elif not self.soft:
                model.synthesis.add_module(level, HardAttention(model.synthesis.get_submodule(level)))
        if not self.csfi:
            _separate_scales(model.synthesis, config.widths[2])
        # A learning rate of 0 would not do: gradient clipping would still count these gradients.
        model.extractor.requires_grad_(self.transfers and self.trained)
        return model

    def num_parameters(self, config: TTSRConfig) -> int:
        """Count the parameters that the row's output depends on, including a fixed extractor's."""
        model = self(config)
        used = [model.synthesis, model.transfer, model.extractor] if self.transfers else [model.synthesis]
        return sum(parameter.numel() for part in used for parameter in part.parameters())


VARIANTS = (
    Variant("base", "no transfer", transfers=False, soft=False, trained=False, csfi=False),
    Variant("hard", "+ hard attention", soft=False, trained=False, csfi=False),
    Variant("soft", "+ soft attention", trained=False, csfi=False),
    Variant("trained", "+ trained extractor", csfi=False),
    Variant("csfi", "+ CSFI: the full network"),
    Variant("refined", "+ match refinement and confidence", refines=True),
)


class NoAttention(nn.Module):
    """Replaces `SoftAttention` by F alone, so that the output does not depend on the reference."""

    def forward(self, x: Tensor, texture: Tensor, relevance: Tensor) -> Tensor:
        """As `SoftAttention`."""
        return x


class HardAttention(nn.Module):
    """Replaces `SoftAttention` by F + conv(cat(F, T)): equation 8 with S = 1."""

    def __init__(self, soft: nn.Module) -> None:
        super().__init__()
        assert isinstance(soft, SoftAttention)
        self.conv = soft.conv

    def forward(self, x: Tensor, texture: Tensor, relevance: Tensor) -> Tensor:
        """As `SoftAttention`."""
        return x + conv_of_parts(self.conv, x, texture)


class NoExchange(nn.Module):
    """Replaces an integration: each scale keeps its own features."""

    def forward(self, *scales: Tensor) -> tuple[Tensor, ...]:
        """The scales as they are."""
        return scales


class NoChain(nn.Module):
    """Replaces a residual chain of the coarser scales, which only feeds the integration."""

    def forward(self, x: Tensor, start: Tensor) -> Tensor:
        """As `ResidualChain`."""
        return x


class FinestAlone(nn.Module):
    """Replaces `Merge`: the 4x features alone to RGB, by the same three convolutions."""

    def __init__(self, merge: Merge, channels: int) -> None:
        super().__init__()
        self.conv = Conv3x3(channels, channels)
        self.tail1, self.tail2 = merge.tail1, merge.tail2

    def forward(self, x1: Tensor, x2: Tensor, x4: Tensor) -> Tensor:
        """As `Merge`."""
        return self.tail2(self.tail1(F.relu(self.conv(x4))))


def _separate_scales(synthesis: SynthesisNetwork, channels: int) -> None:
    """Leave one path: 1x features, upsampled, 2x features, upsampled, 4x features, image."""
    for name in ("integration2", "integration4"):
        synthesis.add_module(name, NoExchange())
    for name in ("chain2_1", "chain4_1", "chain4_2"):
        synthesis.add_module(name, NoChain())
    synthesis.add_module("merge", FinestAlone(synthesis.merge, channels))
