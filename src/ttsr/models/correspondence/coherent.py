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
from ttsr.models.correspondence.patches import patch_norm, places_of
from ttsr.models.correspondence.propagation import PRODUCTS_PER_CELL, KeyTable, LevelSearch
from ttsr.models.correspondence.relevance import checked_masks
from ttsr.models.correspondence.types import Grid, Matches, MatchingCost
from ttsr.progress import Progress

# The coarsest level pools by so much, or by more while this number of pairs of cells is exceeded.
_POOL, _COARSE_PAIRS = 8, 10**8
# Cells that each side of the coarsest grids keeps. The finer ones then hold a whole window of candidates.
_FEWEST_CELLS = 4
# A cell takes as long as so many pairs of the exact search: what it gathers is scattered in memory.
_PAIRS_PER_CELL = 500
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
        # Pooled by 1, 2, 4 and so on.
        pyramids = [_pyramid(features, pool) for features in (queries, *keys)]
        mask_pyramids = [_mask_pyramid(mask, pool) for mask in masks]
        level = len(pyramids[0]) - 1
        part = progress.part(0, _COARSEST_SHARE)
        coarsest = [pyramid[level].float() for pyramid in pyramids]
        coarse_masks = [pyramid[level] for pyramid in mask_pyramids]
        coarse = EXACT(coarsest[0], coarsest[1:], masks=coarse_masks, block_bytes=block_bytes, progress=part).index
        places, scores = places_of(coarse, [_grid(key) for key in coarsest[1:]]), queries.new_empty(0)
        while level > 0:
            level -= 1
            part = progress.part(_share_before(2**level), _share_before(2 ** (level - 1)))
            found = []
            for item in range(len(queries)):
                own = part.part(item / len(queries), (item + 1) / len(queries))
                item_masks = [pyramid[level] for pyramid in mask_pyramids]
                table = KeyTable(
                    [pyramid[level][item] for pyramid in pyramids[1:]],
                    [None if mask is None else mask[item] for mask in item_masks],
                )
                search = LevelSearch(pyramids[0][level][item], table)
                search.try_windows(places[:, item], own.part(0, 0.7))
                if level == 0 and start is not None:
                    search.attempt(table.rows(places_of(start[item : item + 1], grids)[:, 0].flatten(1)))
                search.propagate()
                own.update(1)
                found.append((search.places(), search.score.view(search.grid)))
                del table, search  # before the next, or the norms, take memory
            places, scores = (
                torch.stack(parts, dim) for dim, parts in zip((1, 0), zip(*found, strict=True), strict=True)
            )
        return Matches((scores / patch_norm(queries))[:, None], _index(places, grids))

    def cost(self, query_grid: Grid, key_grids: Sequence[Grid], channels: int, element_bytes: int) -> MatchingCost:
        """The coarsest level's pairs, and at each finer one the windows and what propagation tries."""
        pool = _coarsest_pool(query_grid, key_grids)
        if pool == 1:
            return EXACT.cost(query_grid, key_grids, channels, element_bytes)
        coarse_grids = [_pooled_grid(grid, pool) for grid in key_grids]
        coarse = EXACT.cost(_pooled_grid(query_grid, pool), coarse_grids, channels, element_bytes)
        cells = query_grid[0] * query_grid[1] * 4 / 3
        keys = sum(height * width for height, width in key_grids)
        queries = query_grid[0] * query_grid[1]
        # At the finest level tables of both, a third of that in coarser features, and what each query keeps.
        memory = channels * element_bytes * (queries + keys) * 3 // 2 + 250 * queries
        pairs = coarse.pairs + _PAIRS_PER_CELL * query_grid[0] * query_grid[1]
        return MatchingCost(coarse.multiply_adds + cells * PRODUCTS_PER_CELL * channels, pairs, memory)


COHERENT = CoherentMatcher()


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


def _pyramid(features: Tensor, pool: int) -> list[Tensor]:
    """Means of blocks of 1x1, 2x2, 4x4, ... cells up to `pool`; those at the border are of what they hold."""
    pyramid = [features]
    while 2 ** (len(pyramid) - 1) < pool:
        pyramid.append(F.avg_pool2d(pyramid[-1], 2, ceil_mode=True, count_include_pad=False))
    return pyramid


def _mask_pyramid(mask: Tensor | None, pool: int) -> Sequence[Tensor | None]:
    """Likewise, True for blocks in which any key may be matched."""
    levels = pool.bit_length()
    if mask is None:
        return [None] * levels
    pyramid = [mask]
    while len(pyramid) < levels:
        pyramid.append(F.max_pool2d(pyramid[-1][:, None].float(), 2, ceil_mode=True)[:, 0] > 0)
    return pyramid


def _share_before(pool: float) -> float:
    """The share of the work that is done before the level of this pooling, as each costs four times the last."""
    return 1.0 if pool < 1 else _COARSEST_SHARE + (1 - _COARSEST_SHARE) / (4 * pool**2)


def _index(places: Tensor, grids: Sequence[Grid]) -> Tensor:
    """The reverse of `places_of`."""
    widths = torch.tensor([width for _, width in grids], device=places.device)
    cells = torch.tensor([height * width for height, width in grids], device=places.device)
    reference, row, column = places
    return (cells.cumsum(0) - cells)[reference] + row * widths[reference] + column
