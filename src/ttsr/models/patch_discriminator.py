"""PatchGAN: a discriminator that judges overlapping patches instead of the whole image."""

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

PATCH = 34
"""Side of the patches, the receptive field of a logit, in pixels."""


class PatchDiscriminator(nn.Module):
    """Four 4x4 convolutions, the first two of stride 2, with LeakyReLU(0.2) between them.

    PatchGAN of Isola et al. (2017, section 3.2) with a receptive field of 34 pixels. Every patch is a sample, so that
    it learns from far fewer images than a network that judges whole ones, and at a fraction of the cost. Spectral
    normalisation (Miyato et al., 2018) instead of batch normalisation keeps it from outrunning the generator.

    channels: width of the first convolution; the second has twice, the third four times as many.
    """

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        widths = (3, channels, 2 * channels, 4 * channels)
        layers: list[nn.Module] = []
        for before, after, stride in zip(widths[:-1], widths[1:], (2, 2, 1), strict=True):
            layers += [spectral_norm(nn.Conv2d(before, after, 4, stride, 1)), nn.LeakyReLU(0.2)]
        self.channels = channels
        self.body = nn.Sequential(*layers, spectral_norm(nn.Conv2d(widths[-1], 1, 4, 1, 1)))

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, 1, H // 4 - 2, W // 4 - 2), high for real, of images (B, 3, H, W), RGB in [-1, 1].

        Raises:
            RuntimeError: H or W is below 12.
        """
        return self.body(image)
