"""The mean of nine gathered rows, which every form of transfer ends in: blockwise, with gradients."""

from typing import Any, cast

import torch
from torch import Tensor

from ttsr.models.correspondence.patches import OFFSETS
from ttsr.progress import Progress
from ttsr.system.threads import in_threads

# A block of positions whose sum stays in the cache while nine cells are added to it.
_BLOCK_ELEMENTS = 2**17
# Blocks that a thread takes at a time.
_BLOCKS_PER_PART = 8


def gather_mean(sources: list[Tensor], tables: list[Tensor]) -> Tensor:
    """The mean of nine gathered rows, with gradients to the tables.

    Args:
        sources: for each table (9, P) int64, the rows to take of it; with several tables -1 for none.
        tables: (N, D) each.

    Returns:
        (P, D); without gradients float32 where the tables have 16 bits, which are too few for sums.
    """
    return cast(Tensor, _GatherMean.apply(sources, *tables))


class _GatherMean(torch.autograd.Function):
    """Sum of nine gathered rows over nine, block by block.

    Inputs: for each table rows (9, P), -1 for none; tables (N, D). Output (P, D).
    """

    @staticmethod
    def forward(ctx: Any, sources: list[Tensor], *tables: Tensor) -> Tensor:
        ctx.sources, ctx.sizes = sources, [len(table) for table in tables]
        count, depth = sources[0].shape[1], tables[0].shape[1]
        wanted = torch.float32 if tables[0].element_size() < 4 and not any(ctx.needs_input_grad) else tables[0].dtype
        out = tables[0].new_empty(count, depth, dtype=wanted)
        step = max(1, _BLOCK_ELEMENTS // depth)

        def gather(part: range, _: Progress) -> None:
            buffer = tables[0].new_empty(min(step, len(part)), depth)
            for first in part[::step]:
                here = slice(first, min(first + step, part.stop))
                block = out[here]
                if len(tables) == 1:
                    _sum_rows(tables[0], sources[0][:, here], block, buffer)
                else:
                    block.zero_()
                    for rows, table in zip(sources, tables, strict=True):
                        for at in rows[:, here]:
                            chosen = (at >= 0).nonzero()[:, 0]
                            block.index_add_(0, chosen, table.index_select(0, at[chosen]).to(block))
                block /= len(OFFSETS)

        share = _BLOCKS_PER_PART * step
        in_threads(gather, [range(i, min(i + share, count)) for i in range(0, count, share)], out.device)
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
    """Write to `out` the sum over the first dimension of table[rows]; rows (9, P)."""
    part = buffer[: len(out)]
    first = out if out.dtype == part.dtype else part
    torch.index_select(table, 0, rows[0], out=first)
    if first is part:
        out.copy_(part)
    for at in rows[1:]:
        torch.index_select(table, 0, at, out=part)
        out += part
