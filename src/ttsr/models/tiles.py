"""Tiles of a grid with the overlap that a local computation needs."""

from collections.abc import Iterator
from typing import NamedTuple

from ttsr.models.correspondence.types import Box, Grid

# The least that is kept of a tile along a side, where memory for larger ones is short.
_LEAST = 8


class Tile(NamedTuple):
    """What is computed of a grid at once: `seen` is `kept` and its overlap, as far as the grid goes."""

    kept: Box
    seen: Box


def tiles(grid: Grid, reach: int, cells: int) -> list[Tile]:
    """Tiles that look `reach` cells beyond what they keep, in reading order, chosen so that least is computed twice.

    None sees more than `cells`, but where this is less than `smallest_tile_cells`.
    """
    rows, columns = _kept_size(grid, reach, cells)
    return [
        Tile(Box(top, bottom, left, right), _grown(Box(top, bottom, left, right), grid, reach))
        for top, bottom in _pieces(grid[0], rows)
        for left, right in _pieces(grid[1], columns)
    ]


def smallest_tile_cells(grid: Grid, reach: int) -> int:
    """Cells that even the smallest tile sees."""
    least = max(reach, _LEAST) + 2 * reach
    return min(grid[0], least) * min(grid[1], least)


def overlap_factor(grid: Grid, reach: int, cells: int) -> float:
    """How many times as many cells the tiles see as the grid has."""
    seen = sum((b - t) * (r - lft) for t, b, lft, r in (tile.seen for tile in tiles(grid, reach, cells)))
    return seen / (grid[0] * grid[1])


def _kept_size(grid: Grid, reach: int, cells: int) -> Grid:
    """Rows and columns that a tile keeps."""
    height, width = grid
    if height * width <= cells:
        return grid
    least = max(reach, _LEAST)
    best, size = None, (min(height, least), min(width, least))
    for across in range(1, -(-width // least) + 1):
        columns = -(-width // across)
        seen = min(width, columns + 2 * reach)
        most = cells // seen
        rows = height if most >= height else most - 2 * reach
        if rows < least:
            continue
        down = -(-height // rows)
        work = (height + 2 * reach * (down - 1)) * (width + 2 * reach * (across - 1))
        if best is None or work < best:
            best, size = work, (-(-height // down), columns)
    return size


def _pieces(length: int, step: int) -> Iterator[tuple[int, int]]:
    for start in range(0, length, step):
        yield start, min(start + step, length)


def _grown(box: Box, grid: Grid, reach: int) -> Box:
    top, bottom = max(0, box.top - reach), min(grid[0], box.bottom + reach)
    return Box(top, bottom, max(0, box.left - reach), min(grid[1], box.right + reach))
