"""3x3 patches without unfolding: a table with a row for each grid cell, and the rows that a patch touches.

A grid (H, W) is stored as a table of (H + 2) (W + 2) rows with a ring of zero rows about it, row-major, so that the
cell at offset (dy, dx) is always `dy (W + 2) + dx` rows away and falls on zeros beyond the border.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

Grid = tuple[int, int]
OFFSETS = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))

# The norm of a patch is never taken below this, so that an all-zero patch has cosine 0 with everything.
_EPSILON = 1e-12


def empty_table(like: Tensor, grid: Grid, depth: int) -> Tensor:
    """A padded table of zeros (B, (H + 2) (W + 2), depth), of the batch, type and device of `like`."""
    return like.new_zeros(like.shape[0], (grid[0] + 2) * (grid[1] + 2), depth)


def write_cells(table: Tensor, features: Tensor, cell: int, top: int) -> None:
    """Put features (B, C, cell rows, cell W) into a padded table, from its grid's row `top` on.

    A row of the table holds all of a cell's pixels in the order y, x, channel.
    """
    batch, channels, height, width = features.shape
    rows, width = height // cell, width // cell
    pixels = features.permute(0, 2, 3, 1).reshape(batch, rows, cell, width, cell * channels)
    cells = table.view(batch, -1, width + 2, cell, cell * channels)
    cells[:, top + 1 : top + 1 + rows, 1:-1] = pixels.transpose(2, 3)


def padded_table(features: Tensor) -> Tensor:
    """(B, C, H, W) to a padded table (B, (H + 2) (W + 2), C)."""
    table = empty_table(features, (features.shape[2], features.shape[3]), features.shape[1])
    write_cells(table, features, 1, 0)
    return table


def cells_to_pixels(rows: Tensor, grid: Grid, cell: int = 1) -> Tensor:
    """(B, H W, cell cell C) rows of a grid, without a ring, to (B, C, cell H, cell W)."""
    batch, height, width = rows.shape[0], *grid
    rows = rows.view(batch, height, width, cell, -1).transpose(2, 3)
    return rows.reshape(batch, cell * height, cell * width, -1).permute(0, 3, 1, 2)


def centre_rows(index: Tensor, grid: Grid) -> Tensor:
    """Flat positions in a grid (H, W), any shape, to rows of its padded table."""
    width = grid[1]
    return (index // width + 1) * (width + 2) + index % width + 1


def patch_norm(features: Tensor) -> Tensor:
    """Euclidean length of each 3x3 patch, the border padded with zeros: (B, C, H, W) to (B, H, W)."""
    square = features.square().sum(1, keepdim=True)
    return F.avg_pool2d(square, 3, 1, 1, divisor_override=1)[:, 0].clamp_min(_EPSILON**2).sqrt()


def split_references(index: Tensor, grids: list[Grid]) -> Iterator[tuple[int, Tensor, Tensor]]:
    """For each reference its number, where `index` falls in it (bool), and the position within it (0 elsewhere).

    index: flat positions over all references' grids laid end to end.
    """
    first = 0
    for number, (height, width) in enumerate(grids):
        local = index - first
        inside = (local >= 0) & (local < height * width)
        yield number, inside, torch.where(inside, local, 0)
        first += height * width
