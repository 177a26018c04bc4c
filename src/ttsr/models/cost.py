"""Multiply-adds of each stage, counted from the sizes alone: what plans and progress bars go by."""

from dataclasses import astuple, dataclass

from ttsr.models.config import TTSRConfig
from ttsr.models.correspondence.patches import Grid


@dataclass(frozen=True)
class Cost:
    """Multiply-adds of one image's forward pass, stage by stage, in the order of the work."""

    references: float
    queries: float
    search: float
    coarse: float
    fine: float

    @property
    def total(self) -> float:
        return sum(astuple(self))


def count(config: TTSRConfig, lr_grid: Grid, reference_grids: list[Grid]) -> Cost:
    """lr_grid: (h, w) of the LR image; reference_grids: (H / 4, W / 4) of each reference still to be encoded."""
    c, (n0, n1, n2, n4) = config.channels, config.num_blocks
    fine, middle, coarse = config.extractor_channels
    cells = lr_grid[0] * lr_grid[1]
    keys = sum(height * width for height, width in reference_grids)
    extractor = 16 * 9 * (3 * fine + fine * fine) + 4 * 9 * (fine * middle + middle * middle) + 9 * middle * coarse
    square = 9 * c * c  # a 3x3 convolution of the network's width, at one position
    attention1, attention2, attention4 = (square + 9 * c * width if keys else 0 for width in (coarse, middle, fine))
    on_1x = square * (2 * n0 + 1 + 2 * n1 + 1 + 4 + 3 + 2 * n2 + 1) + 9 * c * 3 + attention1
    on_2x = square * (2 + 2 * n2 + 1) + attention2
    chain = square * (2 * n4 + 1)
    on_4x = chain + square * (3 + 3 + 0.5) + attention4
    # Windows of 12x12 pixels at each move; what is not a product of matrices runs at a fraction of its rate.
    aligning = 4 * 144 * (2 * config.alignment + 1) ** 2 if config.alignment and keys else 0
    return Cost(
        references=2 * keys * extractor,
        queries=cells * extractor if keys else 0,
        search=cells * (keys * coarse + aligning),
        coarse=cells * (on_1x + 4 * on_2x),
        fine=cells * (chain + 5 * square + 4 * (chain + 10 * square) + 16 * on_4x),
    )
