"""The sizes of a TTSR."""

import math
from dataclasses import dataclass

SCALE = 4
"""How many times larger the result is, along a side."""

# Far beyond any network that is of use, and well below what would exhaust a machine before anything is said.
_MOST_BLOCKS = 4096
_MOST_PARAMETERS = 2**30


@dataclass(frozen=True)
class TTSRConfig:
    """Widths, depths and options; the defaults are the published network (6.73 M parameters).

    Attributes:
        channels: width of the synthesis network, on the 1x grid and where the next ones are 0.
        num_blocks: residual blocks of the shallow features and of the 1x, 2x and 4x stages.
        extractor_channels: widths of the texture extractor at full, half and quarter size.
        channels_2x: width of the 2x stage, 0 for `channels`.
        channels_4x: width of the 4x stage and the merge, 0 for `channels`.
        trunk_channels: width of the trunk, 0 for none. The shallow features are then a single-image network of their
            own, whose image is added to the bicubic up-sampled LR; what the textures add comes on top of this base, and
            without a reference the base is the result (see `trunk`). Needs `bicubic_skip`. Not in the paper.
        bicubic_skip: the network's output is added to the bicubic up-sampled LR instead of being the image itself. Not
            in the paper; short training then goes further.
        refinement_radius: matches are refined by up to so many pixels each way, and a learned confidence replaces the
            relevance as soft attention (see `correspondence.pixel_transfer`); 4 at most, 0 for the published network.
        res_scale: factor of the residual in every residual block; 1 in the published weights.

    Raises:
        ValueError: a TTSR of these sizes cannot be built.
    """

    channels: int = 64
    num_blocks: tuple[int, int, int, int] = (16, 16, 8, 4)
    extractor_channels: tuple[int, int, int] = (64, 128, 256)
    channels_2x: int = 0
    channels_4x: int = 0
    trunk_channels: int = 0
    bicubic_skip: bool = False
    refinement_radius: int = 0
    res_scale: float = 1.0

    @property
    def additions(self) -> tuple[str, ...]:
        """Names of the options that go beyond the paper's graph."""
        names = ("channels_2x", "channels_4x", "trunk_channels", "bicubic_skip", "refinement_radius")
        return tuple(name for name in names if getattr(self, name))

    @property
    def widths(self) -> tuple[int, int, int]:
        """Channels of the synthesis network on the 1x, 2x and 4x grids."""
        return self.channels, self.channels_2x or self.channels, self.channels_4x or self.channels

    def __post_init__(self) -> None:
        sizes = [self.channels, self.channels_2x, self.channels_4x, self.trunk_channels, self.refinement_radius]
        if any(type(size) is not int for size in [*sizes, *self.num_blocks, *self.extractor_channels]):
            raise ValueError(f"the sizes of a TTSR are whole numbers, unlike some of {self}")
        if (len(self.num_blocks), len(self.extractor_channels)) != (4, 3):
            raise ValueError(f"num_blocks are four numbers and extractor_channels three, unlike those of {self}")
        if not 0 <= self.refinement_radius <= SCALE:
            raise ValueError(f"refinement_radius takes 0 to {SCALE} pixels, not {self.refinement_radius}")
        if not 0 < self.res_scale < math.inf:
            raise ValueError(f"res_scale must be positive and finite, not {self.res_scale}")
        for name in ("channels_2x", "channels_4x"):
            if getattr(self, name) == self.channels:  # so that equal networks have equal sizes
                object.__setattr__(self, name, 0)
        if self.trunk_channels and not self.bicubic_skip:
            raise ValueError("trunk_channels needs bicubic_skip")
        widths = (*self.widths, *self.extractor_channels)
        lowest = min(self.channels_2x, self.channels_4x, self.trunk_channels, *self.num_blocks)
        if min(widths) < 1 or self.widths[2] < 2 or lowest < 0:
            raise ValueError(f"a TTSR of these sizes cannot be built: {self}")
        blocks, widest = sum(self.num_blocks), max(*widths, self.trunk_channels)
        # Two convolutions a block, and some forty others.
        if blocks > _MOST_BLOCKS or 9 * widest**2 * (2 * blocks + 40) > _MOST_PARAMETERS:
            raise ValueError("a TTSR of these sizes would have more than a billion parameters, or thousands of blocks")
