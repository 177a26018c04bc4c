"""The sizes of a TTSR."""

from dataclasses import dataclass

# How many times larger the result is, a side.
SCALE = 4


@dataclass(frozen=True)
class TTSRConfig:
    """Widths and depths; the defaults are the published network (6.73 M parameters).

    channels: width of the synthesis network.
    num_blocks: residual blocks of the shallow features and of the 1x, 2x and 4x stages.
    extractor_channels: widths of the texture extractor at full, half and quarter size.
    bicubic_skip: the network's output is added to the bicubic up-sampled LR instead of being the image itself. Not in
        the paper; it makes short training go further.
    """

    channels: int = 64
    num_blocks: tuple[int, int, int, int] = (16, 16, 8, 4)
    extractor_channels: tuple[int, int, int] = (64, 128, 256)
    bicubic_skip: bool = False

    def __post_init__(self) -> None:
        widths = (self.channels, *self.extractor_channels)
        if min(widths) < 1 or self.channels < 2 or min(self.num_blocks) < 0:
            raise ValueError(f"a TTSR of these sizes cannot be built: {self}")
