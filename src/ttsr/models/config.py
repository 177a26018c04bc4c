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
    alignment: matches are moved by up to so many pixels each way to where they fit best, and a learned trust takes the
        relevance's place in the soft attention (see `alignment` and `trust`); 4 at most, 0 for the published network.
    """

    channels: int = 64
    num_blocks: tuple[int, int, int, int] = (16, 16, 8, 4)
    extractor_channels: tuple[int, int, int] = (64, 128, 256)
    bicubic_skip: bool = False
    alignment: int = 0

    @property
    def is_published(self) -> bool:
        """Whether it is the paper's graph, whatever its sizes."""
        return not self.bicubic_skip and not self.alignment

    def __post_init__(self) -> None:
        if not 0 <= self.alignment <= SCALE:
            raise ValueError(f"alignment takes 0 to {SCALE} pixels, not {self.alignment}")
        widths = (self.channels, *self.extractor_channels)
        if min(widths) < 1 or self.channels < 2 or min(self.num_blocks) < 0:
            raise ValueError(f"a TTSR of these sizes cannot be built: {self}")

    def fine_row_bytes(self, width: int, element: int, num_references: int) -> int:
        """About what a row of `width` LR cells takes on the 4x grid: five maps, and with `alignment` pixels' places.

        element: bytes of a number.
        """
        return 16 * width * (5 * self.channels * element + self.place_bytes(num_references))

    def place_bytes(self, num_references: int) -> int:
        """About what the places take that a pixel's texture comes from: nine in each reference, and some between."""
        return 8 * (9 * num_references + 6) if self.alignment else 0
