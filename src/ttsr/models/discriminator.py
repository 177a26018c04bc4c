"""Discriminator of the adversarial loss (section 3.3): an image to one logit."""

from torch import Tensor, nn

# Widths of the ten convolutions, in multiples of the first one's.
_WIDTHS = (1, 1, 2, 2, 4, 4, 8, 8, 16, 16)


class Discriminator(nn.Module):
    """Ten 3x3 convolutions, every second of stride 2, and two linear layers; LeakyReLU(0.2) between all.

    Both public implementations' network. Its linear layers see every position, so that it judges images of one size.

    size: side of its square images, in pixels; any from 1 on, halved five times with the odd pixel kept.
    channels: width of the first convolution; the last has 16 times as many, the hidden linear layer 32 times.
    """

    def __init__(self, size: int, channels: int = 32) -> None:
        super().__init__()
        if min(size, channels) < 1:
            raise ValueError(f"a discriminator of {channels} channels for images of {size}x{size} cannot be built")
        self.size, self.channels = size, channels
        layers: list[nn.Module] = []
        before, side = 3, size
        for number, width in enumerate(_WIDTHS):
            stride = 1 + number % 2
            layers += [nn.Conv2d(before, channels * width, 3, stride, 1), nn.LeakyReLU(0.2)]
            before, side = channels * width, -(-side // stride)
        self.body = nn.Sequential(*layers)
        hidden = 32 * channels
        self.last = nn.Sequential(nn.Linear(before * side * side, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, 1), high for real, of images (B, 3, size, size), RGB in [-1, 1].

        The range is the published one and not free to choose: in [0, 1] gradients by the image would be twice as long,
        and the gradient penalty holds their length at 1.

        Raises:
            ValueError: images of another size than it was built for.
        """
        if image.shape[1:] != (3, self.size, self.size):
            raise ValueError(
                f"a discriminator built for (B, 3, {self.size}, {self.size}) cannot judge {tuple(image.shape)}: "
                "build it for the size of the crops"
            )
        return self.last(self.body(image).flatten(1))
