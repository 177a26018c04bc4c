"""Coarse-to-fine search with propagation: about 35 cosines a cell, whatever the references' sizes.

Not in the paper. The maximum of the 3x3 cosine is often a wrong match, and what is coherent with its neighbours'
matches is right more often. Features pooled by 8 (more for large grids) are searched exactly. At each finer level, of
half the pooling, every cell tries the keys about its parent's match, and then its four neighbours' matches moved along
with it: the propagation of PatchMatch (Barnes et al., 2009).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ttsr.models.correspondence.exact import EXACT
from ttsr.models.correspondence.patches import OFFSETS, padded_table, patch_norm, places_of
from ttsr.models.correspondence.relevance import checked_masks
from ttsr.models.correspondence.types import Grid, Matches, MatchingCost
from ttsr.progress import Progress

# The coarsest level pools by so much, or by more while this number of pairs of cells is exceeded.
_POOL, _COARSE_PAIRS = 8, 10**8
# Cells that each side of the coarsest grids keeps. The finer ones then hold a whole window of candidates.
_FEWEST_CELLS = 4
# Candidates about a parent's match, each way. With 2 they include all children of the matched parent.
_RADIUS = 2
_SIDE, _REACH = 2 * _RADIUS + 1, 2 * _RADIUS + 3
_ROUNDS = 2  # of propagation, each from four neighbours
# A cell takes as long as so many pairs of the exact search: what it gathers is scattered in memory.
_PAIRS_PER_CELL = 2000
# Numbers of gathered features that stay in the cache.
_BLOCK_ELEMENTS = 2**19
_COARSEST_SHARE = 0.1  # of the progress


class CoherentMatcher:
    """The best of about 35 candidates a cell, coherent with the matches around it. Implements `Matcher`.

    The relevance is that of the match, so at most the exact maximum. Time grows with the number of queries, memory with
    the number of queries and keys. Grids too small for pooling are searched exactly.
    """

    name = "coherent"

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
        """See `Matcher`. Of equal candidates the first wins; `start` is a candidate of every cell."""
        masks, progress = checked_masks(masks, keys), progress or Progress()
        query_grid, grids = _grid(queries), [_grid(key) for key in keys]
        pool = _coarsest_pool(query_grid, grids)
        if pool == 1:
            return EXACT(queries, keys, masks=masks, block_bytes=block_bytes, progress=progress)
        coarsest = _pooled(queries, pool), [_pooled(key, pool) for key in keys]
        coarse_masks = [_pooled_mask(mask, pool) for mask in masks]
        part = progress.part(0, _COARSEST_SHARE)
        coarse = EXACT(*coarsest, masks=coarse_masks, block_bytes=block_bytes, progress=part).index
        places = places_of(coarse, [_grid(key) for key in coarsest[1]])
        scores = best = None
        while pool > 1:
            pool //= 2
            part = progress.part(_share_before(pool), _share_before(pool / 2))
            pooled_queries, pooled_keys = _pooled(queries, pool), [_pooled(key, pool) for key in keys]
            pooled_masks = [_pooled_mask(mask, pool) for mask in masks]
            parents, best, scores = places, [], []
            for item in range(len(queries)):
                level = _Level(
                    pooled_queries[item],
                    [key[item] for key in pooled_keys],
                    [None if mask is None else mask[item] for mask in pooled_masks],
                )
                level.try_windows(parents[:, item], part.part(item / len(queries), (item + 0.7) / len(queries)))
                if pool == 1 and start is not None:
                    level.attempt(places_of(start[item : item + 1], grids)[:, 0].flatten(1))
                level.propagate()
                part.update((item + 1) / len(queries))
                best.append(level.place.unflatten(1, level.grid))
                scores.append(level.score.view(level.grid))
            places = torch.stack(best, 1)
        assert scores is not None
        return Matches((torch.stack(scores) / patch_norm(queries))[:, None], _index(places, grids))

    def cost(self, query_grid: Grid, key_grids: Sequence[Grid], channels: int, element_bytes: int) -> MatchingCost:
        """The coarsest level's pairs, and at each finer one the windows and what propagation tries."""
        pool = _coarsest_pool(query_grid, key_grids)
        if pool == 1:
            return EXACT.cost(query_grid, key_grids, channels, element_bytes)
        coarse_grids = [_pooled_grid(grid, pool) for grid in key_grids]
        coarse = EXACT.cost(_pooled_grid(query_grid, pool), coarse_grids, channels, element_bytes)
        cells = query_grid[0] * query_grid[1] * 4 / 3
        keys = sum(height * width for height, width in key_grids)
        products = len(OFFSETS) * (_REACH**2 + 4 * _ROUNDS)
        # Features and their tables at the finest level, and half as much of the coarser ones.
        memory = 3 * channels * element_bytes * (query_grid[0] * query_grid[1] + keys)
        pairs = coarse.pairs + _PAIRS_PER_CELL * query_grid[0] * query_grid[1]
        return MatchingCost(coarse.multiply_adds + cells * products * channels, pairs, memory)


COHERENT = CoherentMatcher()


class _Level:
    """One item's queries and keys at one pooling, and the best match of each query so far.

    Attributes:
        grid: (h, w) of the queries.
        place: (3, h w) int64: reference, row and column of the best key.
        score: (h w,) its R / |k|, where R is the product of the 3x3 patches.
    """

    def __init__(self, queries: Tensor, keys: Sequence[Tensor], masks: Sequence[Tensor | None]) -> None:
        self.grid: Grid = (queries.shape[1], queries.shape[2])
        device, cells = queries.device, self.grid[0] * self.grid[1]
        self.queries = padded_table(queries[None])[0]
        self.query_stride = self.grid[1] + 2
        cell = torch.arange(cells, device=device)
        self.y, self.x = cell // self.grid[1], cell % self.grid[1]
        self.query_rows = (self.y + 1) * self.query_stride + self.x + 1
        # The references' tables end to end; beside each row what its product is multiplied by, NaN if it may not win.
        self.keys = torch.cat([padded_table(key[None])[0] for key in keys])
        factors = []
        for key, mask in zip(keys, masks, strict=True):
            factor = 1 / patch_norm(key[None])[0]
            factors.append(F.pad(factor if mask is None else factor.where(mask, torch.nan), (1, 1, 1, 1)).flatten())
        self.factors = torch.cat(factors)
        sizes = torch.tensor([[key.shape[1], key.shape[2]] for key in keys], device=device)
        self.heights, self.widths = sizes.unbind(1)
        rows = (self.heights + 2) * (self.widths + 2)
        self.first_rows = rows.cumsum(0) - rows
        self.place = torch.full((3, cells), -1, device=device)
        self.score = queries.new_full((cells,), -torch.inf)

    def try_windows(self, parents: Tensor, progress: Progress) -> None:
        """Try the window about each cell's parent's match; `parents` (3, h', w') are places at twice the pooling."""
        y, x = (self.y // 2).clamp_max(parents.shape[1] - 1), (self.x // 2).clamp_max(parents.shape[2] - 1)
        reference, row, column = parents[:, y, x]
        # The whole window lies in the grid.
        row = (2 * row + self.y % 2).clamp_min(_RADIUS).minimum(self.heights[reference] - 1 - _RADIUS)
        column = (2 * column + self.x % 2).clamp_min(_RADIUS).minimum(self.widths[reference] - 1 - _RADIUS)
        strides = self.widths[reference] + 2
        centres = self._rows(torch.stack([reference, row, column]))
        step = max(1, _BLOCK_ELEMENTS // (_REACH**2 * self.keys.shape[1]))
        around = torch.arange(-_RADIUS - 1, _RADIUS + 2, device=row.device)
        query_offsets = torch.tensor([dy * self.query_stride + dx for dy, dx in OFFSETS], device=row.device)
        for first in range(0, len(row), step):
            cells = slice(first, first + step)
            key_rows = (centres[cells, None] + around * strides[cells, None])[:, :, None] + around  # n, 7, 7
            query_rows = self.query_rows[cells, None] + query_offsets
            q = self.queries.index_select(0, query_rows.flatten()).unflatten(0, query_rows.shape)
            k = self.keys.index_select(0, key_rows.flatten()).unflatten(0, (-1, _REACH**2))
            products = torch.bmm(q, k.transpose(1, 2)).unflatten(2, (_REACH, _REACH))  # n, 9, 7, 7
            total = products[:, 0, :_SIDE, :_SIDE].clone()
            for number, (dy, dx) in enumerate(OFFSETS[1:], 1):
                total += products[:, number, dy + 1 : dy + 1 + _SIDE, dx + 1 : dx + 1 + _SIDE]
            total *= self.factors[key_rows[:, 1:-1, 1:-1]]
            score, which = total.nan_to_num_(-torch.inf).flatten(1).max(1)
            self.score[cells] = score
            self.place[0, cells] = reference[cells]
            self.place[1, cells] = row[cells] + which // _SIDE - _RADIUS
            self.place[2, cells] = column[cells] + which % _SIDE - _RADIUS
            progress.update(min(1.0, (first + step) / len(row)))

    def propagate(self) -> None:
        """Try the matches of the four neighbours, moved along with the cell."""
        height, width = self.grid
        for dy, dx in _ROUNDS * ((0, 1), (1, 0), (0, -1), (-1, 0)):
            y, x = (self.y + dy).clamp(0, height - 1), (self.x + dx).clamp(0, width - 1)
            reference, row, column = self.place[:, y * width + x]
            self.attempt(torch.stack([reference, row - (y - self.y), column - (x - self.x)]))

    def attempt(self, places: Tensor) -> None:
        """Take these places (3, h w), moved into the grids, where they are better."""
        reference, row, column = places
        row = row.clamp_min(0).minimum(self.heights[reference] - 1)
        column = column.clamp_min(0).minimum(self.widths[reference] - 1)
        places = torch.stack([reference, row, column])
        step = max(1, _BLOCK_ELEMENTS // self.keys.shape[1])
        for cells in (places != self.place).any(0).nonzero()[:, 0].split(step):
            query_rows, key_rows = self.query_rows[cells], self._rows(places[:, cells])
            strides = self.widths[reference[cells]] + 2
            total = torch.zeros_like(self.score[cells])
            for dy, dx in OFFSETS:
                q = self.queries.index_select(0, query_rows + (dy * self.query_stride + dx))
                total += q.mul_(self.keys.index_select(0, key_rows + dy * strides + dx)).sum(1)
            total *= self.factors[key_rows]
            better = total > self.score[cells]  # never where the factor is NaN
            self.score[cells[better]] = total[better]
            self.place[:, cells[better]] = places[:, cells[better]]

    def _rows(self, places: Tensor) -> Tensor:
        """Rows of the key table."""
        reference, row, column = places
        return self.first_rows[reference] + (row + 1) * (self.widths[reference] + 2) + column + 1


def _grid(features: Tensor) -> Grid:
    return features.shape[2], features.shape[3]


def _pooled_grid(grid: Grid, pool: int) -> Grid:
    return -(-grid[0] // pool), -(-grid[1] // pool)


def _coarsest_pool(query_grid: Grid, key_grids: Sequence[Grid]) -> int:
    """A power of two; 1 for grids that are too small to be pooled, or without keys."""

    def cells(pool: int) -> list[int]:
        return [height * width for height, width in (_pooled_grid(grid, pool) for grid in (query_grid, *key_grids))]

    smallest, pool = min(min(grid) for grid in (query_grid, *key_grids)), 1
    while key_grids and 2 * pool * (_FEWEST_CELLS - 1) < smallest:
        if pool >= _POOL and cells(pool)[0] * sum(cells(pool)[1:]) <= _COARSE_PAIRS:
            break
        pool *= 2
    return pool


def _pooled(features: Tensor, pool: int) -> Tensor:
    """The means of blocks of `pool` x `pool` cells, those at the border of what they hold."""
    if pool == 1:
        return features
    return F.avg_pool2d(features, pool, ceil_mode=True, count_include_pad=False)


def _pooled_mask(mask: Tensor | None, pool: int) -> Tensor | None:
    """True for blocks in which any key may be matched."""
    if mask is None or pool == 1:
        return mask
    return F.max_pool2d(mask[:, None].float(), pool, ceil_mode=True)[:, 0] > 0


def _share_before(pool: float) -> float:
    """The share of the work that is done before the level of this pooling, as each costs four times the last."""
    return 1.0 if pool < 1 else _COARSEST_SHARE + (1 - _COARSEST_SHARE) / (4 * pool**2)


def _index(places: Tensor, grids: Sequence[Grid]) -> Tensor:
    """The reverse of `places_of`."""
    widths = torch.tensor([width for _, width in grids], device=places.device)
    cells = torch.tensor([height * width for height, width in grids], device=places.device)
    reference, row, column = places
    return (cells.cumsum(0) - cells)[reference] + row * widths[reference] + column
