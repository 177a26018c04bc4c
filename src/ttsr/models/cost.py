"""Multiply-adds and bytes of each stage, counted from the sizes alone: what plans and progress bars go by."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from math import ceil
from typing import NamedTuple

from ttsr.models.config import SCALE, TTSRConfig
from ttsr.models.correspondence.types import Grid


@dataclass(frozen=True)
class Cost:
    """Multiply-adds of one image's forward pass, stage by stage, in the order of the work.

    Attributes:
        references: keys of the references, and their textures where these are not encoded level by level.
        queries: features of the up-sampled LR.
        matching: the search.
        refinement: match refinement.
        texture1: coarse textures of the references, where they are encoded level by level.
        first: the 1x grid.
        texture2: middle textures, likewise.
        second: the 1x and 2x grids.
        texture4: fine textures, likewise.
        fine: the 4x grid.
    """

    references: float
    queries: float
    matching: float
    refinement: float
    texture1: float
    first: float
    texture2: float
    second: float
    texture4: float
    fine: float

    @property
    def total(self) -> float:
        """Of all stages."""
        return sum(astuple(self))


def spans(shares: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """For each stage the fractions of the whole at which it begins and ends."""
    total, found, before = sum(shares.values()), {}, 0.0
    for name, share in shares.items():
        found[name] = (before / total, (before + share) / total)
        before += share
    return found


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


class CellBytes(NamedTuple):
    """About what a tile takes for each cell that it sees, at its fullest moment, beside the inputs and the result.

    Attributes:
        features: of the extractor's levels, for a cell of 4x4 pixels.
        first: of the synthesis, for an LR cell.
        second: likewise.
        fine: likewise.
    """

    features: int
    first: int
    second: int
    fine: int


def feature_cell_bytes(widths: tuple[int, int, int]) -> int:
    """`CellBytes.features` of an extractor."""
    fine, middle, _ = widths
    return 4 * (48 * fine + 4 * middle + 96)


def cell_bytes(config: TTSRConfig, num_references: int) -> CellBytes:
    """From the widths, the number of maps alive at a time with the convolutions' workspace, as measured.

    In 16 bits it is little less, as bicubic interpolation and the textures have 32. The places of the textures come
    on top while these are gathered.
    """
    (first, second, third), (fine, middle, coarse) = config.widths, config.extractor_channels
    # A map on the 2x grid has four numbers for each channel and cell, one on the 4x grid has 16.
    maps_2x, maps_4x = first + 4 * second, first + 4 * second + 16 * third
    shallow = max(first, config.trunk_channels)
    # Published transfer takes nine rows a cell, refined matches nine rows a pixel.
    pixel = refinement_cost(config, num_references).place_bytes
    cell = 8 * (9 * max(1, num_references) + 6)
    return CellBytes(
        features=feature_cell_bytes(config.extractor_channels),
        first=max(4 * 12 * shallow, 4 * (3 * first + 2 * coarse) + (pixel or cell)),
        second=max(4 * ceil(6.6 * maps_2x), 4 * (12 * second + 8 * middle) + (4 * pixel or cell)),
        fine=max(4 * ceil(5.62 * maps_4x), 4 * (48 * third + 32 * fine) + (16 * pixel or cell)),
    )


def count(
    config: TTSRConfig,
    lr_grid: Grid,
    new: Sequence[Grid],
    kept: Sequence[Grid] = (),
    matching: float | None = None,
    *,
    by_level: bool = False,
) -> Cost:
    """Count one image's multiply-adds, each cell once; what tiles compute twice is not in it.

    Args:
        config: the network's sizes.
        lr_grid: (h, w) of the LR image.
        new: (H/4, W/4) of each reference that is still to be encoded.
        kept: likewise of those that are encoded already.
        matching: of the search; None for the exact one's.
        by_level: new references are encoded level by level.
    """
    (first, second, third), (n0, n1, n2, n4) = config.widths, config.num_blocks
    fine, middle, coarse = config.extractor_channels
    cells = lr_grid[0] * lr_grid[1]
    new_keys = sum(height * width for height, width in new)
    keys = new_keys + sum(height * width for height, width in kept)
    to_fine = 16 * _conv(3, fine)
    to_middle = to_fine + 16 * _conv(fine, fine) + 4 * _conv(fine, middle)
    extractor = to_middle + 4 * _conv(middle, middle) + _conv(middle, coarse)
    if trunk := config.trunk_channels:
        shallow = _conv(3, trunk) + _chain(trunk, n0) + _conv(trunk, 3 * SCALE**2)
        entered = _conv(trunk, first)
    else:
        shallow, entered = _conv(3, first) + _chain(first, n0), 0
    attention1, attention2, attention4 = (
        _conv(width + texture, width) if keys else 0
        for width, texture in ((first, coarse), (second, middle), (third, fine))
    )
    on_1x = _conv(first, 4 * second) + _conv(second, first) + _conv(2 * first, first) + _chain(first, n2)
    on_2x = _conv(2 * second, second) + _chain(second, n2) + attention2
    integration_1x = 2 * _conv(second, first) + _conv(3 * first, first)
    integration_2x = _conv(second, 4 * third) + 2 * _conv(third, second) + _conv(3 * second, second)
    on_4x = 2 * _conv(3 * third, third) + _chain(third, n4) + _conv(third, third // 2) + attention4
    if trunk:
        on_4x += _conv(3, third)
    rest = 0 if trunk and not keys else 1  # of a network with a trunk nothing else runs without a reference
    return Cost(
        references=(1 if by_level else 2) * new_keys * extractor,
        queries=cells * extractor if keys else 0,
        matching=cells * keys * coarse if matching is None else matching,
        refinement=cells * refinement_cost(config, len(new) + len(kept)).cell_multiply_adds,
        texture1=new_keys * extractor if by_level else 0,
        first=cells * (shallow + rest * (entered + attention1 + _chain(first, n1))),
        texture2=new_keys * to_middle if by_level else 0,
        second=rest * cells * (on_1x + 4 * on_2x),
        texture4=new_keys * to_fine if by_level else 0,
        fine=rest
        * cells
        * (integration_1x + _chain(first, n4) + 4 * (integration_2x + _chain(second, n4)) + 16 * on_4x),
    )


def _conv(channels: int, out_channels: int) -> int:
    """A 3x3 convolution at one position."""
    return 9 * channels * out_channels


def _chain(channels: int, num_blocks: int) -> int:
    """The convolutions of a residual chain at one position."""
    return _conv(channels, channels) * (2 * num_blocks + 1)
