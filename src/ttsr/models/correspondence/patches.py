"""3x3 patches without unfolding: a table with a row for each grid cell, and the rows that a patch touches.

A grid (H, W) is stored as a table of (H + 2) (W + 2) rows with a ring of zero rows about it, row-major, so that the
cell at offset (dy, dx) is always `dy (W + 2) + dx` rows away and falls on zeros beyond the border.
"""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ttsr.models.correspondence.types import Grid
from ttsr.system.precision import at_least_float32

OFFSETS = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))

# The norm of a patch is never taken below this, so that an all-zero patch has cosine 0 with everything.
PATCH_EPSILON = 1e-12


def empty_table(like: Tensor, grid: Grid, depth: int) -> Tensor:
    """A padded table of zeros (B, (H + 2) (W + 2), depth), of the batch, type and device of `like`."""
    return like.new_zeros(like.shape[0], (grid[0] + 2) * (grid[1] + 2), depth)


def write_cells(table: Tensor, features: Tensor, cell: int, top: int, left: int, grid: Grid) -> None:
    """Put features of some cells into a padded table.

    Args:
        table: (B, (H + 2) (W + 2), cell cell C); a row holds all of a cell's pixels in the order y, x, channel.
        features: (B, C, cell rows, cell columns).
        cell: pixels along a cell's side.
        top: the grid's row that the features begin with.
        left: the grid's column that the features begin with.
        grid: (H, W).
    """
    batch, channels, height, width = features.shape
    rows, columns = height // cell, width // cell
    pixels = features.permute(0, 2, 3, 1).reshape(batch, rows, cell, columns, cell * channels)
    cells = table.view(batch, grid[0] + 2, grid[1] + 2, cell, cell * channels)
    cells[:, top + 1 : top + 1 + rows, left + 1 : left + 1 + columns] = pixels.transpose(2, 3)


def padded_table(features: Tensor) -> Tensor:
    """(B, C, H, W) to a padded table (B, (H + 2) (W + 2), C)."""
    grid = (features.shape[2], features.shape[3])
    table = empty_table(features, grid, features.shape[1])
    write_cells(table, features, 1, 0, 0, grid)
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
    return patch_norm_of_squares(at_least_float32(features).square().sum(1))


def patch_norm_of_squares(squares: Tensor) -> Tensor:
    """The same from each cell's sum of squares (B, H, W)."""
    return F.avg_pool2d(squares[:, None], 3, 1, 1, divisor_override=1)[:, 0].clamp_min(PATCH_EPSILON**2).sqrt()


def split_references(index: Tensor, grids: Sequence[Grid]) -> Iterator[tuple[int, Tensor, Tensor]]:
    """For each reference its number, where `index` falls in it (bool), and the position within it (0 elsewhere).

    Args:
        index: flat positions over all references' grids laid end to end.
        grids: (H, W) of each reference.
    """
    first = 0
    for number, (height, width) in enumerate(grids):
        local = index - first
        inside = (local >= 0) & (local < height * width)
        yield number, inside, torch.where(inside, local, 0)
        first += height * width


def places_of(index: Tensor, grids: Sequence[Grid]) -> Tensor:
    """Flat positions (B, h, w) over the grids laid end to end to reference, row and column: (3, B, h, w)."""
    reference, row, column = (torch.zeros_like(index) for _ in range(3))
    for number, inside, local in split_references(index, grids):
        width = grids[number][1]
        reference = torch.where(inside, number, reference)
        row, column = torch.where(inside, local // width, row), torch.where(inside, local % width, column)
    return torch.stack([reference, row, column])
