"""Soft attention and cross-scale feature integration (sections 3.1 and 3.2): textures and LR features to an image.

Legend of the tensors: x1, x2, x4 are features on grids of 1, 2 and 4 times the LR's size, (B, C, s h, s w).
"""

from torch import Tensor, nn

from ttsr.models.blocks import BicubicUp, PixelShuffleUp, ResidualChain, added, bicubic_up, conv_of_parts, relu
from ttsr.models.config import TTSRConfig
from ttsr.models.convolution import Conv2d, Conv3x3
from ttsr.models.reach import synthesis_reach
from ttsr.models.trunk import Trunk


class ShallowFeatures(nn.Module):
    """RGB in [-1, 1] to features on the LR grid."""

    def __init__(self, channels: int, num_blocks: int, res_scale: float = 1.0) -> None:
        super().__init__()
        self.head = Conv3x3(3, channels)
        self.chain = ResidualChain(channels, num_blocks, res_scale)

    def forward(self, lr: Tensor) -> Tensor:
        """(B, 3, h, w) to (B, C, h, w)."""
        x = relu(self.head(lr))
        return self.chain(x, x)


class SoftAttention(nn.Module):
    """F + conv(cat(F, T)) * S: how much of a transferred texture is let in (equation 8)."""

    def __init__(self, channels: int, texture_channels: int) -> None:
        super().__init__()
        self.conv = Conv3x3(channels + texture_channels, channels)

    def forward(self, x: Tensor, texture: Tensor, relevance: Tensor) -> Tensor:
        """Features x (B, C, H, W), texture (B, Ct, H, W), relevance (B, 1, H, W)."""
        return added(x, conv_of_parts(self.conv, x, texture) * relevance.to(x.dtype))


class Down(nn.Module):
    """Half the size: stride-2 convolution, ReLU."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = Conv2d(channels, out_channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, H/2, W/2)."""
        return relu(self.conv(x))


class Integration2(nn.Module):
    """Cross-scale feature integration between 1x and 2x; `widths` are those of all scales, 1x first."""

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        first, second, _ = widths
        self.up_1to2 = BicubicUp(first, second, 2)
        self.down_2to1 = Down(second, first)
        self.merge1 = Conv3x3(2 * first, first)
        self.merge2 = Conv3x3(2 * second, second)

    def forward(self, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
        """Features of the two scales to the same shapes."""
        return (
            relu(conv_of_parts(self.merge1, x1, self.down_2to1(x2))),
            relu(conv_of_parts(self.merge2, x2, self.up_1to2(x1))),
        )


class Integration4(nn.Module):
    """Cross-scale feature integration between 1x, 2x and 4x; `widths` are those of the scales, 1x first."""

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        first, second, third = widths
        self.up_1to2 = BicubicUp(first, second, 2)
        self.up_1to4 = BicubicUp(first, third, 4)
        self.up_2to4 = BicubicUp(second, third, 2)
        self.down_2to1 = Down(second, first)
        self.down_4to1 = nn.Sequential(Down(third, second), Down(second, first))
        self.down_4to2 = Down(third, second)
        self.merge1 = Conv3x3(3 * first, first)
        self.merge2 = Conv3x3(3 * second, second)
        self.merge4 = Conv3x3(3 * third, third)

    def forward(self, x1: Tensor, x2: Tensor, x4: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features of the three scales to the same shapes."""
        return (
            relu(conv_of_parts(self.merge1, x1, self.down_2to1(x2), self.down_4to1(x4))),
            relu(conv_of_parts(self.merge2, x2, self.up_1to2(x1), self.down_4to2(x4))),
            relu(conv_of_parts(self.merge4, x4, self.up_1to4(x1), self.up_2to4(x2))),
        )


class Merge(nn.Module):
    """The three scales, whose `widths` begin with 1x, to one RGB image."""

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        first, second, third = widths
        self.up_1to4 = BicubicUp(first, third, 4)
        self.up_2to4 = BicubicUp(second, third, 2)
        self.conv = Conv3x3(3 * third, third)
        self.tail1 = Conv3x3(third, third // 2)
        self.tail2 = Conv2d(third // 2, 3, 1)

    def forward(self, x1: Tensor, x2: Tensor, x4: Tensor) -> Tensor:
        """Features of the three scales to RGB (B, 3, 4h, 4w)."""
        x = relu(conv_of_parts(self.conv, x4, self.up_1to4(x1), self.up_2to4(x2)))
        return self.tail2(self.tail1(x))


class SynthesisNetwork(nn.Module):
    """LR image, relevance and transferred textures to an RGB image, in [-1, 1] up to clamping.

    With a trunk, to what is added to the base image: bicubic and the trunk's detail.
    """

    def __init__(self, config: TTSRConfig) -> None:
        super().__init__()
        shallow, on_1x, on_2x, on_4x = config.num_blocks
        widths, scale = config.widths, config.res_scale
        first, second, third = widths
        fine, middle, coarse = config.extractor_channels
        self.trunk_to_1x = self.base_to_4x = None
        if config.trunk_channels:
            self.shallow = Trunk(config.trunk_channels, shallow, scale)
            self.trunk_to_1x = Conv3x3(config.trunk_channels, first)
            self.base_to_4x = Conv3x3(3, third)
        else:
            self.shallow = ShallowFeatures(first, shallow, scale)
        self.attention1 = SoftAttention(first, coarse)
        self.chain1 = ResidualChain(first, on_1x, scale)
        self.up2 = PixelShuffleUp(first, second)
        self.attention2 = SoftAttention(second, middle)
        self.integration2 = Integration2(widths)
        self.chain2_1 = ResidualChain(first, on_2x, scale)
        self.chain2_2 = ResidualChain(second, on_2x, scale)
        self.up4 = PixelShuffleUp(second, third)
        self.attention4 = SoftAttention(third, fine)
        self.integration4 = Integration4(widths)
        self.chain4_1 = ResidualChain(first, on_4x, scale)
        self.chain4_2 = ResidualChain(second, on_4x, scale)
        self.chain4_4 = ResidualChain(third, on_4x, scale)
        self.merge = Merge(widths)
        self.reach = synthesis_reach(config)

    def coarse(
        self, lr: Tensor, relevance: Tensor, texture1: Tensor | None, texture2: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """The stages on the 1x and 2x grids: (x1, x2, the trunk's detail).

        Textures that are None stand for a relevance of 0: the soft attention then lets nothing in and is left out.

        Args:
            lr: (B, 3, h, w) RGB in [-1, 1].
            relevance: (B, 1, h, w) for all levels, or (B, 3, h, w) for each, coarse to fine.
            texture1: (B, C3, h, w).
            texture2: (B, C2, 2h, 2w).
        """
        x1, detail = self.first(lr, relevance, texture1)
        return (*self.second(x1, relevance, texture2), detail)

    def first(self, lr: Tensor, relevance: Tensor, texture1: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The stages on the 1x grid, up to the first integration; local, as far as `reach.first`.

        Returns:
            x1, and where there is a trunk its detail, (B, 48, h, w).
        """
        if self.trunk_to_1x is None:
            x1, detail = self.shallow(lr), None
        else:
            features, detail = self.shallow(lr)
            x1 = self.trunk_to_1x(features)
        if texture1 is not None:
            x1 = self.attention1(x1, texture1, _at_level(relevance, 0))
        return self.chain1(x1, x1), detail

    def second(self, x1: Tensor, relevance: Tensor, texture2: Tensor | None) -> tuple[Tensor, Tensor]:
        """The stages on the 1x and 2x grids from `first` on: (x1, x2); local, as far as `reach.second`."""
        x2 = self.up2(x1)
        if texture2 is not None:
            x2 = self.attention2(x2, texture2, bicubic_up(_at_level(relevance, 1), 2))
        y1, y2 = self.integration2(x1, x2)
        return self.chain2_1(y1, x1), self.chain2_2(y2, x2)

    def fine(
        self, x1: Tensor, x2: Tensor, relevance: Tensor, texture4: Tensor | None, base: Tensor | None = None
    ) -> Tensor:
        """The stage on the 4x grid and the merge: RGB (B, 3, 4h, 4w).

        Local: its output depends on at most `reach.fine` LR cells each way. texture4: (B, C1, 4h, 4w),
        or None for a relevance of 0. base: (B, 3, 4h, 4w) RGB in [-1, 1], which a network with a trunk needs.
        """
        x4 = self.up4(x2)
        if self.base_to_4x is not None:
            assert base is not None
            x4 = added(x4, self.base_to_4x(base))
        if texture4 is not None:
            x4 = self.attention4(x4, texture4, bicubic_up(_at_level(relevance, 2), 4))
        y1, y2, y4 = self.integration4(x1, x2, x4)
        x4 = self.chain4_4(y4, x4)
        del y4, texture4
        return self.merge(self.chain4_1(y1, x1), self.chain4_2(y2, x2), x4)

    def forward(self, lr: Tensor, relevance: Tensor, textures: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Of a network without a trunk, from RGB in [-1, 1].

        textures: coarse to fine, (B, C3, h, w), (B, C2, 2h, 2w), (B, C1, 4h, 4w).
        """
        x1, x2, _ = self.coarse(lr, relevance, textures[0], textures[1])
        return self.fine(x1, x2, relevance, textures[2])


def _at_level(relevance: Tensor, level: int) -> Tensor:
    """(B, 1, h, w) of a level, 0 to 2 from coarse to fine."""
    return relevance if relevance.shape[1] == 1 else relevance[:, level : level + 1]
