"""Hard attention (equations 6 and 7): every cell takes the texture of its best match, overlapping patches averaged.

The textbook form gathers whole patches and folds them back. Each output cell is the mean of nine gathered cells: the
cell at offset d beside the match of the neighbour at offset -d. Textures of the finer levels are handled on the LR grid
too, a row of the table holding the 2x2 or 4x4 pixels of a cell.
"""

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from ttsr.models.correspondence.patches import OFFSETS, Grid, centre_rows, split_references

# A block of positions whose sum stays in the cache while nine cells are added to it.
_BLOCK_ELEMENTS = 2**17


def transfer(index: Tensor, tables: list[Tensor], grids: list[Grid], top: int, bottom: int) -> Tensor:
    """Textures of the LR rows top ... bottom - 1: (B, (bottom - top) w, D).

    index: (B, h, w), flat over the references' grids laid end to end; tables: the padded table (B, N, D) of each
    reference (see `patches`), D = cell cell C; grids: their sizes. Gradients flow to the tables.
    """
    width = index.shape[2]
    batch = index.shape[0]
    # The rows above and below take part; beyond the LR's border there is no match, which -1 stands for.
    margin = (1, 1, 1 - min(top, 1), 1 - min(index.shape[1] - bottom, 1))
    around = F.pad(index[:, max(top - 1, 0) : bottom + 1], margin, value=-1)
    # Row 0 of a table belongs to its ring of zeros: of a single one it stands for "none" at no cost.
    none = 0 if len(tables) == 1 else -1
    sources = []
    for number, inside, local in split_references(around, grids):
        table, stride = tables[number], grids[number][1] + 2
        offset = torch.arange(batch, device=index.device)[:, None, None] * table.shape[1]
        centre = centre_rows(local, grids[number]) + offset
        rows = torch.stack(
            [
                torch.where(_shifted(inside, dy, dx), _shifted(centre, dy, dx) + (dy * stride + dx), none)
                for dy, dx in OFFSETS
            ]
        )
        sources.append(rows.view(len(OFFSETS), -1))
    mean = gather_mean(sources, [table.flatten(0, 1) for table in tables])
    return mean.view(batch, (bottom - top) * width, -1)


def gather_mean(sources: list[Tensor], tables: list[Tensor]) -> Tensor:
    """The sum of nine gathered rows over nine: (P, D), with gradients to the tables.

    sources: for each table (9, P) int64, the rows to take of it; of one of several tables -1 for none. tables: (N, D)
    each.
    """
    return cast(Tensor, _GatherMean.apply(sources, *tables))


def _shifted(around: Tensor, dy: int, dx: int) -> Tensor:
    """What the neighbour at offset -(dy, dx) of each cell holds: (B, H + 2, W + 2) to (B, H, W)."""
    height, width = around.shape[1] - 2, around.shape[2] - 2
    return around[:, 1 - dy : 1 - dy + height, 1 - dx : 1 - dx + width]


class _GatherMean(torch.autograd.Function):
    """Sum of nine gathered rows over nine, block by block.

    Inputs: for each table rows (9, P), -1 for none; tables (N, D). Output (P, D).
    """

    @staticmethod
    def forward(ctx: Any, sources: list[Tensor], *tables: Tensor) -> Tensor:
        ctx.sources, ctx.sizes = sources, [len(table) for table in tables]
        count, depth = sources[0].shape[1], tables[0].shape[1]
        out = tables[0].new_empty(count, depth)
        step = max(1, _BLOCK_ELEMENTS // depth)
        buffer = tables[0].new_empty(min(step, count), depth)
        for first in range(0, count, step):
            block = out[first : first + step]
            if len(tables) == 1:
                _sum_rows(tables[0], sources[0][:, first : first + step], block, buffer)
            else:
                block.zero_()
                for rows, table in zip(sources, tables, strict=True):
                    for at in rows[:, first : first + step]:
                        chosen = (at >= 0).nonzero()[:, 0]
                        block.index_add_(0, chosen, table.index_select(0, at[chosen]))
            block /= len(OFFSETS)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        gradient = gradients[0] / len(OFFSETS)
        answers: list[Tensor | None] = [None]
        for number, (rows, size) in enumerate(zip(ctx.sources, ctx.sizes, strict=True)):
            if not ctx.needs_input_grad[number + 1]:
                answers.append(None)
                continue
            to_table = gradient.new_zeros(size, gradient.shape[1])
            for at in rows:
                to_table.index_add_(0, at.clamp_min(0), gradient * (at >= 0)[:, None])
            answers.append(to_table)
        return tuple(answers)


def _sum_rows(table: Tensor, rows: Tensor, out: Tensor, buffer: Tensor) -> None:
    """out = the sum over the first dimension of table[rows]; rows (9, P)."""
    torch.index_select(table, 0, rows[0], out=out)
    part = buffer[: len(out)]
    for at in rows[1:]:
        torch.index_select(table, 0, at, out=part)
        out += part
