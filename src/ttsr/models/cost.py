"""Multiply-adds and bytes of each stage, counted from the sizes alone: what plans and progress bars go by."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import NamedTuple

from ttsr.models.config import TTSRConfig
from ttsr.models.correspondence.types import Grid


@dataclass(frozen=True)
class Cost:
    """Multiply-adds of one image's forward pass, stage by stage, in the order of the work."""

    references: float
    queries: float
    matching: float
    coarse: float
    fine: float

    @property
    def total(self) -> float:
        """Of all stages."""
        return sum(astuple(self))

    def spans(self) -> dict[str, tuple[float, float]]:
        """For each stage the fractions of the whole at which it begins and ends."""
        spans, before = {}, 0.0
        for name, part in vars(self).items():
            spans[name] = (before / self.total, (before + part) / self.total)
            before += part
        return spans


class RefinementCost(NamedTuple):
    """What match refinement adds; all zero where it is off.

    Attributes:
        cell_multiply_adds: for each LR cell; what is no matrix product runs at a fraction of its rate.
        luma_bytes: for each pixel of a reference.
        place_bytes: for each pixel of a texture, the places that it comes from.
    """

    cell_multiply_adds: float = 0
    luma_bytes: int = 0
    place_bytes: int = 0


def refinement_cost(config: TTSRConfig, num_references: int) -> RefinementCost:
    """Of windows of 12x12 pixels at each shift, and of nine places in each reference with some in between."""
    if not config.refinement_radius or not num_references:
        return RefinementCost()
    return RefinementCost(4 * 144 * (2 * config.refinement_radius + 1) ** 2, 4, 8 * (9 * num_references + 6))


def fine_cell_bytes(config: TTSRConfig, element_bytes: int, num_references: int) -> int:
    """About what an LR cell takes on the 4x grid: five maps, and the places of its textures."""
    places = refinement_cost(config, num_references).place_bytes
    return 16 * (5 * config.channels * element_bytes + places)


def count(
    config: TTSRConfig, lr_grid: Grid, new: Sequence[Grid], kept: Sequence[Grid] = (), matching: float | None = None
) -> Cost:
    """Count one image's multiply-adds.

    Args:
        config: the network's sizes.
        lr_grid: (h, w) of the LR image.
        new: (H/4, W/4) of each reference that is still to be encoded.
        kept: likewise of those that are encoded already.
        matching: of the search; None for the exact one's.
    """
    c, (n0, n1, n2, n4) = config.channels, config.num_blocks
    fine, middle, coarse = config.extractor_channels
    cells = lr_grid[0] * lr_grid[1]
    new_keys = sum(height * width for height, width in new)
    keys = new_keys + sum(height * width for height, width in kept)
    extractor = 16 * 9 * (3 * fine + fine * fine) + 4 * 9 * (fine * middle + middle * middle) + 9 * middle * coarse
    square = 9 * c * c  # a 3x3 convolution of the network's width, at one position
    attention1, attention2, attention4 = (square + 9 * c * width if keys else 0 for width in (coarse, middle, fine))
    on_1x = square * (2 * n0 + 1 + 2 * n1 + 1 + 4 + 3 + 2 * n2 + 1) + 9 * c * 3 + attention1
    on_2x = square * (2 + 2 * n2 + 1) + attention2
    chain = square * (2 * n4 + 1)
    on_4x = chain + square * (3 + 3 + 0.5) + attention4
    search = cells * keys * coarse if matching is None else matching
    return Cost(
        references=2 * new_keys * extractor,
        queries=cells * extractor if keys else 0,
        matching=search + cells * refinement_cost(config, len(new) + len(kept)).cell_multiply_adds,
        coarse=cells * (on_1x + 4 * on_2x),
        fine=cells * (chain + 5 * square + 4 * (chain + 10 * square) + 16 * on_4x),
    )
