"""Relevance embedding and the position of hard attention (equations 3 to 5), exact and streamed.

The relevance of query cell p and key cell r is the cosine of their 3x3 patches. The textbook form unfolds the patches,
multiplies 9 C numbers for each pair and holds the whole matrix. The inner product of two patches is the sum of nine
inner products of single cells,

    R(p, r) = sum over d of <q(p + d), k(r + d)>,

so one product of C numbers a pair and shifted additions give the same: a ninth of the multiplications. The nine
additions separate into three along x and three along y. Only a block of products is alive at a time, and its maximum is
folded into the running one.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ttsr.models.correspondence.patches import patch_norm
from ttsr.models.correspondence.relevance import checked_masks
from ttsr.models.correspondence.types import Grid, Matches, MatchingCost
from ttsr.progress import Progress
from ttsr.system.precision import at_least_float32
from ttsr.system.threads import in_threads

# On a CPU a block of products that stays in the cache beats a large one.
CPU_BLOCK_BYTES = 8 * 2**20
# Query columns of a block. Longer pieces of a row leave no room for several rows or for enough keys.
_QUERY_COLUMNS = 126
# Query cells to make room for, halo included: fewer only where rows of keys are long.
_QUERY_CELLS, _FEWEST_QUERY_CELLS = 512, 16
# Rows of keys to make room for, halo included: two of them are multiplied anew for each block.
_KEY_ROWS = 10
# Rows of queries of a task. Threads get several tasks each, as they may get on at different speeds; each multiplies two
# rows more. They depend on the picture alone: a product's size decides how its sums are rounded, and these who wins.
_TASKS, _FEWEST_TASK_ROWS, _MOST_TASK_ROWS = 8, 16, 64


class ExactMatcher:
    """The published search: every query against every key of all references. Implements `Matcher`.

    Of equal keys the first of a reference and the first reference wins. About four times `block_bytes` are used beside
    inputs and outputs, whatever their sizes.
    """

    name = "exact"

    @torch.no_grad()
    def __call__(
        self,
        queries: Tensor,
        keys: Sequence[Tensor],
        *,
        masks: Sequence[Tensor | None] | None = None,
        block_bytes: int = 2**30,
        progress: Progress | None = None,
        start: Tensor | None = None,
    ) -> Matches:
        """Equations 3 to 5; see `Matcher`. Masked keys still count as neighbours. `start` has no influence."""
        masks, queries = checked_masks(masks, keys), at_least_float32(queries)
        batch, _, height, width = queries.shape
        best = queries.new_full((batch, height, width), float("-inf"))
        index = torch.zeros(batch, height, width, dtype=torch.long, device=queries.device)
        if queries.device.type == "cpu":
            block_bytes = min(block_bytes, CPU_BLOCK_BYTES)
        inverses = [1 / patch_norm(key) for key in keys]

        grids = [(key.shape[2], key.shape[3]) for key in keys]
        shapes = [_block_shape((height, width), grid, block_bytes // queries.element_size()) for grid in grids]
        widest = min((shape.query_columns for shape in shapes), default=width)

        def search(task: _Task, progress: Progress) -> None:
            item, rows, columns = task
            around = queries[item, :, :, max(0, columns.start - 1) : columns.stop + 1]
            sides = (int(columns.start == 0), int(columns.stop >= width), 0, 0)
            lines = F.pad(around, sides).permute(1, 2, 0).contiguous()  # h, columns + 2, C
            first = done = 0
            total = sum(key.shape[2] for key in keys)
            for key, inverse, mask, grid, shape in zip(keys, inverses, masks, grids, shapes, strict=True):
                for top in range(0, grid[0], shape.key_rows):
                    part = slice(top, min(top + shape.key_rows, grid[0]))
                    masked = None if mask is None else ~mask[item, part]
                    block = _KeyBlock(key[item], inverse[item], part, masked, first + top * grid[1])
                    _fold_in(lines, rows, block, shape.query_rows, best[item, :, columns], index[item, :, columns])
                    done += block.grid[0]
                    progress.update(done / total)
                first += grid[0] * grid[1]

        in_threads(search, _tasks(batch, (height, width), widest, queries.device), queries.device, progress)
        return Matches((best / patch_norm(queries))[:, None], index)

    def cost(self, query_grid: Grid, key_grids: Sequence[Grid], channels: int, element_bytes: int) -> MatchingCost:
        """All pairs; in memory the queries twice and the largest reference's keys once more."""
        cells, keys = query_grid[0] * query_grid[1], [height * width for height, width in key_grids]
        memory = channels * element_bytes * (2 * cells + max(keys, default=0))
        return MatchingCost(cells * sum(keys) * channels, cells * sum(keys), memory)


EXACT = ExactMatcher()
"""The search of the paper: every LR cell is compared with every reference cell."""


class _Task(NamedTuple):
    """Queries that are searched together: an item of the batch, and rows and columns of it."""

    item: int
    rows: slice
    columns: slice


def _tasks(batch: int, grid: Grid, query_columns: int, device: torch.device) -> list[_Task]:
    """All queries in pieces of so many columns, on a CPU of fewer rows, to be divided among threads."""
    height, width = grid
    step = max(1, height) if device.type != "cpu" else min(_MOST_TASK_ROWS, max(_FEWEST_TASK_ROWS, height // _TASKS))
    return [
        _Task(item, slice(top, min(top + step, height)), slice(left, min(left + query_columns, width)))
        for item in range(batch)
        for top in range(0, height, step)
        for left in range(0, width, query_columns)
    ]


class _BlockShape(NamedTuple):
    key_rows: int
    query_rows: int
    query_columns: int


def _block_shape(query_grid: Grid, key_grid: Grid, elements: int) -> _BlockShape:
    """A block of at most `elements` products, halos included; more only where three rows of keys exceed it."""
    key_width = key_grid[1] + 2
    rows = max(elements // _QUERY_CELLS // key_width, min(_KEY_ROWS, elements // _FEWEST_QUERY_CELLS // key_width))
    key_rows = max(1, min(key_grid[0], rows - 2))
    cells = elements // ((key_rows + 2) * key_width)
    query_columns = max(1, min(query_grid[1], _QUERY_COLUMNS, cells - 2))
    return _BlockShape(key_rows, max(1, min(query_grid[0], cells // (query_columns + 2))), query_columns)


class _KeyBlock:
    """Some rows of one reference's keys with a row of halo above and below, ready to be multiplied.

    masked: (rows, W) bool, the keys that must not win; None for none of them.
    """

    def __init__(self, key: Tensor, inverse_norm: Tensor, rows: slice, masked: Tensor | None, first_index: int) -> None:
        channels, height, width = key.shape
        halo_top, halo_bottom = max(0, rows.start - 1), min(height, rows.stop + 1)
        padding = (1, 1, int(rows.start == 0), int(rows.stop == height))
        self.columns = F.pad(at_least_float32(key[:, halo_top:halo_bottom]), padding).reshape(channels, -1)
        self.inverse_norm = inverse_norm[rows]
        self.masked = masked
        self.grid: Grid = (rows.stop - rows.start, width)
        self.first_index = first_index


def _fold_in(lines: Tensor, rows: slice, block: _KeyBlock, query_rows: int, best: Tensor, index: Tensor) -> None:
    """Raise `best` and set `index` (h, w) in some rows wherever a key of the block beats what was found so far.

    lines: (h, w + 2, C), the queries with a column more at either side. `best` holds R / |k|: the query's own length
    does not change which key is best.
    """
    height, width = best.shape
    channels = lines.shape[2]
    key_rows, key_width = block.grid
    stride = key_width + 2
    columns = block.columns.shape[1]
    length = key_rows * stride  # of the flat, padded rows of the block; the last two are never read

    products = lines.new_empty(query_rows, width + 2, columns)
    along_x = lines.new_empty(query_rows + 2, width, columns - 2)  # query rows y - 1 ... y + query_rows
    patches = lines.new_empty(query_rows, width, length)
    cosines = lines.new_empty(query_rows * width, key_rows * key_width)

    def add_along_x(first: int, last: int, slot: int) -> None:
        """Fill along_x[slot:] with the query rows first ... last - 1."""
        count = last - first
        g = products[:count]
        torch.mm(lines[first:last].reshape(-1, channels), block.columns, out=g.view(-1, columns))
        a = along_x[slot : slot + count]
        torch.add(g[:, :-2, :-2], g[:, 1:-1, 1:-1], out=a)
        a += g[:, 2:, 2:]

    if rows.start == 0:
        along_x[0].zero_()  # above the first row there is nothing
    else:
        add_along_x(rows.start - 1, rows.start, 0)
    add_along_x(rows.start, rows.start + 1, 1)
    for y in range(rows.start, rows.stop, query_rows):
        count = min(query_rows, rows.stop - y)
        # Slots 0 and 1 hold rows y - 1 and y already.
        upto = min(y + count + 1, height)
        if upto > y + 1:
            add_along_x(y + 1, upto, 2)
        if upto == y + count:
            along_x[count + 1].zero_()  # below the last row there is nothing
        r = patches[:count, :, : length - 2]
        torch.add(along_x[:count, :, : length - 2], along_x[1 : count + 1, :, stride : stride + length - 2], out=r)
        r += along_x[2 : count + 2, :, 2 * stride : 2 * stride + length - 2]
        c = cosines[: count * width]
        torch.mul(
            patches[:count].view(count, width, key_rows, stride)[..., :key_width],
            block.inverse_norm,
            out=c.view(count, width, key_rows, key_width),
        )
        if block.masked is not None:
            c.masked_fill_(block.masked.flatten(), float("-inf"))
        # Finding a maximum's place costs ten times its value, so the place is sought only where the record falls.
        found, record = c.amax(1), best[y : y + count]
        broken = found.view(count, width) > record
        if broken.any():
            picked = broken.flatten()
            record[broken] = found[picked]
            candidates = c if picked.all() else c[picked]
            index[y : y + count][broken] = candidates.argmax(1) + block.first_index
        along_x[:2] = along_x[count : count + 2] if count > 1 else along_x[count : count + 2].clone()
