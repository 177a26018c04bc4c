"""Tiles: they cover the grid once, hold their overlap, and keep to the cells they are given."""

import torch
from hypothesis import given, settings, strategies as st

from ttsr.models.tiles import overlap_factor, smallest_tile_cells, tiles

SIDES = st.integers(1, 300)


@settings(deadline=None)
@given(st.tuples(SIDES, SIDES), st.integers(0, 70), st.integers(1, 100_000))
def test_tiles_cover_the_grid_once_with_their_overlap(grid, reach, cells):
    covered = torch.zeros(grid, dtype=torch.int)
    found = tiles(grid, reach, cells)
    for kept, seen in found:
        covered[kept.top : kept.bottom, kept.left : kept.right] += 1
        assert seen.top == max(0, kept.top - reach) and seen.bottom == min(grid[0], kept.bottom + reach)
        assert seen.left == max(0, kept.left - reach) and seen.right == min(grid[1], kept.right + reach)
        size = (seen.bottom - seen.top) * (seen.right - seen.left)
        assert size <= max(cells, smallest_tile_cells(grid, reach))
    assert (covered == 1).all()
    if grid[0] * grid[1] <= cells:
        assert len(found) == 1 and overlap_factor(grid, reach, cells) == 1


def test_a_wide_grid_is_divided_both_ways_rather_than_into_thin_strips():
    """A thousand columns and a reach of 36: strips of rows would compute most cells twice."""
    found = tiles((750, 1000), 36, 200_000)
    assert len({kept.left for kept, _ in found}) > 1 and len({kept.top for kept, _ in found}) > 1
    assert overlap_factor((750, 1000), 36, 200_000) < 1.5
