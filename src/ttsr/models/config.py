"""The sizes of a TTSR."""

import math
from dataclasses import dataclass

SCALE = 4
"""How many times larger the result is, along a side."""


@dataclass(frozen=True)
class TTSRConfig:
    """Widths, depths and options; the defaults are the published network (6.73 M parameters).

    Attributes:
        channels: width of the synthesis network.
        num_blocks: residual blocks of the shallow features and of the 1x, 2x and 4x stages.
        extractor_channels: widths of the texture extractor at full, half and quarter size.
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
    bicubic_skip: bool = False
    refinement_radius: int = 0
    res_scale: float = 1.0

    @property
    def additions(self) -> tuple[str, ...]:
        """Names of the options that go beyond the paper's graph."""
        return tuple(name for name in ("bicubic_skip", "refinement_radius") if getattr(self, name))

    def __post_init__(self) -> None:
        if not 0 <= self.refinement_radius <= SCALE:
            raise ValueError(f"refinement_radius takes 0 to {SCALE} pixels, not {self.refinement_radius}")
        if not 0 < self.res_scale < math.inf:
            raise ValueError(f"res_scale must be positive and finite, not {self.res_scale}")
        widths = (self.channels, *self.extractor_channels)
        if min(widths) < 1 or self.channels < 2 or min(self.num_blocks) < 0:
            raise ValueError(f"a TTSR of these sizes cannot be built: {self}")
