"""One level of the search: how far a right match spreads."""

import torch

from ttsr.models.correspondence.coherent import COHERENT
from ttsr.models.correspondence.propagation import KeyTable, LevelSearch


def test_two_rounds_carry_a_match_two_cells_each_way():
    """In noise, where no other match is as good."""
    key = torch.randn(8, 30, 34, generator=torch.Generator().manual_seed(0))
    search = LevelSearch(key[:, 8:24, 6:24], KeyTable([key], [None]))
    start = torch.zeros(16 * 18, dtype=torch.long)
    right = search.keys.rows(torch.tensor([0, 8 + 7, 6 + 9]))
    start[7 * 18 + 9] = right
    search.attempt(start)
    search.propagate()
    _, row, column = search.places()
    found = (row == torch.arange(16)[:, None] + 8) & (column == torch.arange(18) + 6)
    expected = torch.zeros(16, 18, dtype=torch.bool)
    expected[5:10, 7:12] = True
    assert torch.equal(found, expected)


def test_a_start_in_the_second_reference_is_a_place_there():
    keys = [torch.randn(1, 8, 40, 36, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)]
    query = keys[1][:, :, 4:36, 3:35]
    right = (40 * 36 + (torch.arange(32)[:, None] + 4) * 36 + torch.arange(32) + 3)[None]
    relevance, index = COHERENT(query, keys, start=right)
    inner = (slice(None), slice(1, -1), slice(1, -1))
    assert torch.equal(index[inner], right[inner]) and relevance[:, 0][inner].min() > 1 - 1e-5
