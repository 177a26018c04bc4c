"""How far the network looks: the overlap of its tiles, worked out from its description alone.

All lengths are in LR cells, as exact fractions: a pixel of the 2x grid is a half. Each function takes how far beyond a
region its output is needed, and gives how far beyond it the input is; a stage is followed from its end to its start.
"""

from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from ttsr.models.config import TTSRConfig

EXTRACTOR_PIXELS = 12
"""How far, in pixels of the image, a coarse feature of the extractor looks beyond its 4x4 cell: 1 + 1 at full size,
1 + 1 at half, 1 at a quarter make 2 + 4 + 4 = 10; rounded up to whole cells."""


class Reach(NamedTuple):
    """Cells each way that the stages of the synthesis look at beyond those that they compute.

    Attributes:
        first: the 1x grid before the first integration.
        second: the 1x and 2x grids from there on.
        fine: the 4x grid and the merge.
    """

    first: int
    second: int
    fine: int


def synthesis_reach(config: TTSRConfig) -> Reach:
    """The reach of each stage."""
    shallow, first, second, third = config.num_blocks
    # Head, shallow features, the way from the trunk, soft attention, chain.
    on_1x = _convs(1 + _chain(shallow) + bool(config.trunk_channels) + 1 + _chain(first), 1)
    return Reach(ceil(on_1x), ceil(_second(_chain(second))), ceil(_fine(_chain(third))))


def _second(chain: int) -> Fraction:
    merge1, merge2 = _convs(chain + 1, 1), _convs(chain + 1, 2)
    x1 = max(merge1, _bicubic(merge2, 1, 2))
    x2 = max(merge2, _down(merge1, 1))
    return max(x1, _attention_and_up(x2, 2))


def _fine(chain: int) -> Fraction:
    merged = _convs(2, 4)
    merge1 = _convs(chain + 1, 1, _bicubic(merged, 1, 4))
    merge2 = _convs(chain + 1, 2, _bicubic(merged, 2, 4))
    merge4 = _convs(chain + 1, 4, merged)
    x1 = max(merge1, _bicubic(merge2, 1, 2), _bicubic(merge4, 1, 4))
    x2 = max(merge2, _down(merge1, 1), _bicubic(merge4, 2, 4))
    x4 = max(merge4, _down(merge2, 2), _down(_down(merge1, 1), 2))
    return max(x1, x2, _attention_and_up(x4, 4))


def _attention_and_up(edge: Fraction, scale: int) -> Fraction:
    """The soft attention on a grid, whose attention map is enlarged from 1x, and the convolution before its shuffle."""
    before = _whole(_convs(1, scale, edge), scale // 2)
    return max(_bicubic(edge, 1, scale), _convs(1, scale // 2, before))


def _chain(num_blocks: int) -> int:
    """Convolutions of a residual chain, one behind the other."""
    return 2 * num_blocks + 1


def _convs(number: int, scale: int, edge: Fraction | int = 0) -> Fraction:
    """3x3 convolutions on the grid of a scale."""
    return edge + Fraction(number, scale)


def _down(edge: Fraction, scale: int) -> Fraction:
    """A 3x3 convolution of stride 2 from the grid of twice this scale."""
    return _whole(edge, scale) + Fraction(1, 2 * scale)


def _bicubic(edge: Fraction, scale: int, enlarged: int) -> Fraction:
    """Bicubic enlarging from the grid of a scale to that of another: of four pixels, the first two are before."""
    centre = (Fraction(1, 2 * enlarged) - edge) * scale  # of the outermost enlarged pixel
    return Fraction(1 - floor(centre - Fraction(1, 2)), scale)


def _whole(edge: Fraction, scale: int) -> Fraction:
    """Up to whole pixels of the grid of a scale."""
    return Fraction(ceil(edge * scale), scale)
