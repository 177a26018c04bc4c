"""Both forms of transfer, `cell_transfer` and `pixel_transfer` of the models, as one graph without Col2Im.

Each pixel is the mean of nine: what its own cell and its eight neighbours, each moved along with its own match, show
there. Folding overlapping patches of 3x3 cells is the same, with zeros beyond the borders instead of repeated pixels.

The nine are a loop of the graph, and places one long list each: with nine copies of it exporting takes minutes.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch._higher_order_ops.while_loop import while_loop

from ttsr.models.config import SCALE
from ttsr.models.correspondence.patches import OFFSETS
from ttsr.models.correspondence.types import Grid


class Neighbours(NamedTuple):
    """The matches of nine neighbours of each of N LR cells, itself included.

    Attributes:
        known: (9, N), whether the neighbour lies in the LR picture; beyond its border the nearest cell stands for it.
        shift: (9, N, 2), down and right, from the neighbour's own first pixel to that of its match.
        size: (9, N, 2), rows and columns of cells of the reference that it is in.
        start: (9, N), cells of all references before that one.
    """

    known: Tensor
    shift: Tensor
    size: Tensor
    start: Tensor


def neighbours(reference: Tensor, place: Tensor, sizes: Tensor, grid: Grid) -> Neighbours:
    """Of the matches of a grid of cells, as `SynthesisPart` takes them, int64."""
    height, width = grid
    cells = torch.arange(height * width)
    row = cells // width
    column = cells - row * width  # the exporter knows no remainder by a size
    offsets = torch.tensor(OFFSETS)
    y, x = row + offsets[:, :1], column + offsets[:, 1:]
    near_y, near_x = y.clamp(0, height - 1), x.clamp(0, width - 1)
    near = (near_y * width + near_x).flatten()
    areas = sizes[:, 0] * sizes[:, 1]
    number = reference.flatten().index_select(0, near)
    shift = place[0].flatten(1).t() - SCALE * torch.stack([row, column], 1)
    return Neighbours(
        (near_y == y) & (near_x == x),
        shift.index_select(0, near).reshape(len(OFFSETS), height * width, 2),
        sizes.index_select(0, number).reshape(len(OFFSETS), height * width, 2),
        (areas.cumsum(0) - areas).index_select(0, number).reshape(len(OFFSETS), height * width),
    )


def gathered_textures(matches: Neighbours, grid: Grid, texture: Tensor, cell: int, *, repeat: bool) -> Tensor:
    """Textures of a level at the matches.

    Args:
        matches: of the LR's cells, row by row, and their neighbours.
        grid: (h, w).
        texture: (P, C), the level's pixels of each reference, row by row, one reference after the other.
        cell: pixels along a cell's side at this level.
        repeat: beyond a border repeat the last pixels or matches, as `pixel_transfer`; else zeros, as `cell_transfer`.

    Returns:
        (1, C, cell h, cell w).
    """
    # All sizes are said in terms of these two: inferred from one another, they cost minutes of symbolic arithmetic.
    height, width = cell * grid[0], cell * grid[1]
    pixels = torch.arange(height * width)
    y_own = pixels // width
    x_own = pixels - y_own * width
    of_cell = (y_own // cell) * grid[1] + x_own // cell
    # In pixels of the level, rounded to the nearest.
    shifts, sizes = (matches.shift * cell + SCALE // 2) // SCALE, matches.size * cell
    starts, knowns = matches.start * cell * cell, matches.known

    def unfinished(number: Tensor, _: Tensor) -> Tensor:
        return (number < len(OFFSETS)).all()

    def add(number: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
        down, right = shifts.index_select(0, number)[0].index_select(0, of_cell).unbind(1)
        tall, wide = sizes.index_select(0, number)[0].index_select(0, of_cell).unbind(1)
        y, x = y_own + down, x_own + right
        seen_y, seen_x = y.clamp_min(0).minimum(tall - 1), x.clamp_min(0).minimum(wide - 1)
        start = starts.index_select(0, number)[0].index_select(0, of_cell)
        gathered = texture.index_select(0, start + seen_y * wide + seen_x)
        if not repeat:
            known = knowns.index_select(0, number)[0].index_select(0, of_cell)
            gathered = gathered * ((seen_y == y) & (seen_x == x) & known)[:, None]
        return number + 1, total + gathered

    none = texture.new_zeros(height * width, texture.shape[1])
    _, total = while_loop(unfinished, add, (torch.zeros(1, dtype=torch.long), none))
    return (total / len(OFFSETS)).reshape(1, height, width, texture.shape[1]).permute(0, 3, 1, 2)
