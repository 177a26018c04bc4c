"""The streaming transfer against the textbook form."""

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

from ttsr.models import textbook
from ttsr.models.correspondence.cell_transfer import gather_cells
from ttsr.models.correspondence.patches import cells_to_pixels, empty_table, write_cells
from ttsr.models.correspondence.types import Box

sides = st.integers(1, 7)
grids = st.tuples(sides, sides)


def table(texture: Tensor, cell: int) -> Tensor:
    grid = (texture.shape[2] // cell, texture.shape[3] // cell)
    rows = empty_table(texture, grid, cell * cell * texture.shape[1])
    write_cells(rows, texture, cell, 0, 0, grid)
    return rows


def random(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    batch=st.integers(1, 2),
    cell=st.sampled_from([1, 2, 4]),
    lr_grid=grids,
    ref_grids=st.lists(grids, min_size=1, max_size=3),
)
def test_equals_the_textbook_form(seed, batch, cell, lr_grid, ref_grids):
    textures = [random(seed + i, batch, 3, cell * h, cell * w) for i, (h, w) in enumerate(ref_grids)]
    keys = sum(h * w for h, w in ref_grids)
    index = torch.randint(keys, (batch, *lr_grid), generator=torch.Generator().manual_seed(seed))
    rows = gather_cells(index, [table(t, cell) for t in textures], list(ref_grids), Box(0, lr_grid[0], 0, lr_grid[1]))
    expected = textbook.transfer(index, textures, cell)
    torch.testing.assert_close(cells_to_pixels(rows, lr_grid, cell), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("box", [(0, 1, 0, 5), (0, 4, 1, 3), (2, 5, 0, 2), (5, 9, 3, 5), (8, 9, 4, 5)])
def test_a_box_equals_the_same_cells_of_the_whole(box):
    texture = random(1, 2, 3, 20, 24)
    index = torch.randint(30, (2, 9, 5), generator=torch.Generator().manual_seed(2))
    whole = gather_cells(index, [table(texture, 4)], [(5, 6)], Box(0, 9, 0, 5)).view(2, 9, 5, -1)
    top, bottom, left, right = box
    part = gather_cells(index, [table(texture, 4)], [(5, 6)], Box(*box)).view(2, bottom - top, right - left, -1)
    assert torch.equal(part, whole[:, top:bottom, left:right])


def test_gradients_equal_the_textbook_form():
    textures = [random(3, 2, 2, 8, 12).double().requires_grad_(), random(4, 2, 2, 12, 4).double().requires_grad_()]
    index = torch.randint(9, (2, 4, 5), generator=torch.Generator().manual_seed(5))
    weight = random(6, 2, 2, 16, 20).double()
    (textbook.transfer(index, textures, 4) * weight).sum().backward()
    wanted = [t.grad for t in textures]
    for t in textures:
        t.grad = None
    rows = gather_cells(index, [table(t, 4) for t in textures], [(2, 3), (3, 1)], Box(0, 4, 0, 5))
    (cells_to_pixels(rows, (4, 5), 4) * weight).sum().backward()
    for t, gradient in zip(textures, wanted, strict=True):
        torch.testing.assert_close(t.grad, gradient)


def test_a_table_that_needs_no_gradient_gets_none():
    textures = [random(7, 1, 1, 3, 3).requires_grad_(), random(8, 1, 1, 2, 2)]
    index = torch.zeros(1, 2, 2, dtype=torch.long)
    gather_cells(index, [table(t, 1) for t in textures], [(3, 3), (2, 2)], Box(0, 2, 0, 2)).sum().backward()
    assert textures[0].grad is not None and textures[0].grad.abs().sum() > 0
    assert textures[1].grad is None
