"""The streaming search against the textbook form."""

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

from ttsr.models import textbook
from ttsr.models.correspondence import exact as matching
from ttsr.models.correspondence.exact import EXACT
from ttsr.models.correspondence.relevance import relevance_at
from ttsr.progress import Progress

sides = st.integers(1, 9)
grids = st.tuples(sides, sides)


def into(fractions: list[float]) -> Progress:
    """A progress that only notes the fractions."""
    return Progress(lambda fraction, _: fractions.append(fraction))


def features(seed: int, batch: int, channels: int, grid: tuple[int, int]) -> Tensor:
    """Like the extractor's: not negative, a good part of them zero."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, channels, *grid, generator=generator).relu()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    batch=st.integers(1, 3),
    channels=st.integers(1, 6),
    query_grid=grids,
    key_grids=st.lists(grids, min_size=1, max_size=3),
    block_bytes=st.sampled_from([1, 400, 5000, 10**7]),
)
def test_equals_the_textbook_form(device, seed, batch, channels, query_grid, key_grids, block_bytes):
    queries = features(seed, batch, channels, query_grid).to(device)
    keys = [features(seed + 1 + i, batch, channels, grid).to(device) for i, grid in enumerate(key_grids)]
    relevance, index = EXACT(queries, keys, block_bytes=block_bytes)
    expected, _ = textbook.search(queries, keys)
    torch.testing.assert_close(relevance, expected, atol=2e-6, rtol=0)
    total = sum(height * width for height, width in key_grids)
    assert index.min() >= 0 and index.max() < total
    torch.testing.assert_close(relevance_at(queries, keys, index), expected, atol=2e-6, rtol=0)


def test_index_equals_the_textbook_form_on_distinct_features():
    queries, keys = features(1, 2, 32, (17, 23)), [features(2, 2, 32, (19, 14)), features(3, 2, 32, (8, 31))]
    relevance, index = EXACT(queries, keys, block_bytes=30_000)
    expected, place = textbook.search(queries, keys)
    torch.testing.assert_close(relevance, expected, atol=2e-6, rtol=0)
    assert torch.equal(index, place)


@pytest.mark.parametrize("block_bytes", [1, 2000, 10**6])
def test_equal_keys_go_to_the_first(block_bytes):
    queries = features(4, 1, 8, (5, 6))
    key = queries.clone()
    _, index = EXACT(queries, [key, key.clone()], block_bytes=block_bytes)
    assert torch.equal(index.flatten(), torch.arange(30))


def test_a_black_image_matches_with_relevance_zero_and_a_place_inside():
    black, key = torch.zeros(1, 4, 3, 5), features(5, 1, 4, (6, 2))
    for queries, keys in ((black, [key]), (key, [black]), (black, [black])):
        relevance, index = EXACT(queries, keys)
        assert torch.equal(relevance, torch.zeros_like(relevance))
        assert index.min() >= 0 and index.max() < keys[0].shape[2] * keys[0].shape[3]


def test_padding_never_wins_where_every_cosine_is_negative():
    queries = torch.ones(1, 3, 4, 4)
    keys = [-torch.ones(1, 3, 2, 7)]
    relevance, index = EXACT(queries, keys)
    expected, _ = textbook.search(queries, keys)
    torch.testing.assert_close(relevance, expected)
    assert relevance.max() < 0 and index.max() < 14


def test_each_item_of_a_batch_is_searched_apart():
    queries, key = features(6, 3, 8, (4, 7)), features(7, 3, 8, (5, 5))
    relevance, index = EXACT(queries, [key])
    for item in range(3):
        alone = EXACT(queries[item : item + 1], [key[item : item + 1]])
        assert torch.equal(index[item], alone.index[0])
        torch.testing.assert_close(relevance[item], alone.relevance[0])


def test_progress_rises_to_one():
    seen: list[float] = []
    EXACT(
        features(8, 2, 4, (6, 6)),
        [features(9, 2, 4, (9, 9))],
        block_bytes=100,
        progress=into(seen),
    )
    assert seen == sorted(seen) and seen[-1] == pytest.approx(1)
    assert len(seen) > 4


def test_no_matrix_is_held(monkeypatch):
    """The largest tensor that the search makes stays near its block, far under the matrix of all pairs."""
    largest = 0
    original = torch.Tensor.new_empty

    def new_empty(self, *size, **options):
        nonlocal largest
        made = original(self, *size, **options)
        largest = max(largest, made.numel() * made.element_size())
        return made

    monkeypatch.setattr(torch.Tensor, "new_empty", new_empty)
    queries, key = features(10, 1, 4, (60, 60)), features(11, 1, 4, (60, 60))
    EXACT(queries, [key], block_bytes=2**18)
    assert 0 < largest < 2 * 2**18 < 3600 * 3600 * 4
    assert matching.CPU_BLOCK_BYTES >= 2**18


def test_gradients_of_relevance_equal_the_textbook_form():
    queries = features(12, 2, 5, (4, 6)).double().requires_grad_()
    keys = [features(13, 2, 5, (5, 3)).double().requires_grad_(), features(14, 2, 5, (3, 7)).double().requires_grad_()]
    expected, place = textbook.search(queries, keys)
    weight = torch.rand(expected.shape, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    (expected * weight).sum().backward()
    wanted = [leaf.grad for leaf in (queries, *keys)]
    for leaf in (queries, *keys):
        leaf.grad = None
    relevance = relevance_at(queries, keys, place)
    torch.testing.assert_close(relevance, expected)
    (relevance * weight).sum().backward()
    for leaf, gradient in zip((queries, *keys), wanted, strict=True):
        torch.testing.assert_close(leaf.grad, gradient)


def test_gradients_of_a_black_image_are_finite():
    queries, keys = torch.zeros(1, 3, 4, 4, requires_grad=True), torch.zeros(1, 3, 3, 3, requires_grad=True)
    _, index = EXACT(queries, [keys])
    relevance_at(queries, [keys], index).sum().backward()
    assert queries.grad is not None and torch.isfinite(queries.grad).all()
    assert keys.grad is not None and torch.isfinite(keys.grad).all()


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    query_grid=grids,
    key_grids=st.lists(grids, min_size=1, max_size=3),
    block_bytes=st.sampled_from([1, 300, 10**7]),
    levels=st.integers(0, 2),
)
def test_ties_and_black_images_equal_the_textbook_form(seed, query_grid, key_grids, block_bytes, levels):
    """Few values and one channel make many equal patches; no values at all make black images.

    Whichever of equal keys is taken, it is as good as the textbook's.
    """
    generator = torch.Generator().manual_seed(seed)
    queries = torch.randint(levels + 1, (1, 1, *query_grid), generator=generator).float()
    keys = [torch.randint(levels + 1, (1, 1, *grid), generator=generator).float() for grid in key_grids]
    relevance, index = EXACT(queries, keys, block_bytes=block_bytes)
    expected, _ = textbook.search(queries, keys)
    torch.testing.assert_close(relevance, expected, atol=2e-6, rtol=0)
    torch.testing.assert_close(relevance_at(queries, keys, index), expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize("query_grid", [(8, 65000), (65000, 8), (300, 300)], ids=str)
@pytest.mark.parametrize("key_grid", [(75, 100), (2, 16250), (16250, 2), (190, 250)], ids=str)
def test_halos_cost_little_at_any_shape(query_grid, key_grid):
    shape = matching._block_shape(query_grid, key_grid, 2**21)
    key_width, query_width = key_grid[1], query_grid[1]
    row_products = (shape.key_rows + 2) / shape.key_rows * (shape.query_columns + 2) / shape.query_columns
    in_one_block = (key_grid[0] + 2) / key_grid[0] * (query_width + 2) / query_width
    assert row_products <= 1.3 * in_one_block
    assert (shape.key_rows + 2) * (key_width + 2) * shape.query_rows * (shape.query_columns + 2) <= 2**21


def test_long_rows_are_cut_into_pieces():
    shape = matching._block_shape((4, 900), (5, 700), 2**14)
    assert shape.query_columns < 20
    assert (shape.query_columns + 2) * 3 * 702 <= 2**14
    queries, key = features(15, 1, 3, (2, 90)), features(16, 1, 3, (3, 70))
    relevance, index = EXACT(queries, [key], block_bytes=2**12)
    expected, place = textbook.search(queries, [key])
    torch.testing.assert_close(relevance, expected, atol=2e-6, rtol=0)
    assert torch.equal(index, place)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    batch=st.integers(1, 3),
    query_grid=grids,
    key_grids=st.lists(grids, min_size=1, max_size=3),
    block_bytes=st.sampled_from([1, 400, 5000, 10**7]),
)
def test_masked_keys_never_win(seed, batch, query_grid, key_grids, block_bytes):
    generator = torch.Generator().manual_seed(seed)
    queries = features(seed, batch, 4, query_grid) - 0.5
    keys = [features(seed + 1 + i, batch, 4, grid) for i, grid in enumerate(key_grids)]
    masks = [torch.rand(batch, *grid, generator=generator) > 0.6 for grid in key_grids]
    masks[-1][:, -1, 0] = True
    relevance, index = EXACT(queries, keys, masks=masks, block_bytes=block_bytes)
    expected, _ = textbook.search(queries, keys, masks)
    torch.testing.assert_close(relevance, expected, atol=2e-6, rtol=0)
    allowed = torch.cat([mask.flatten(1) for mask in masks], 1)
    assert allowed.gather(1, index.flatten(1)).all()
    torch.testing.assert_close(relevance_at(queries, keys, index), expected, atol=2e-6, rtol=0)


def test_the_best_key_is_passed_over_where_it_is_masked():
    queries = features(17, 2, 8, (4, 5))
    mask = torch.ones(2, 4, 5, dtype=torch.bool)
    mask[1, 2, 3] = False
    _, index = EXACT(queries, [queries], masks=[mask])
    same = index == torch.arange(20).view(4, 5)
    assert same[0].all() and torch.equal(same[1], mask[1])


def test_a_mask_that_masks_nothing_changes_no_bit():
    queries, keys = features(18, 2, 8, (9, 7)), [features(19, 2, 8, (6, 11)), features(20, 2, 8, (3, 4))]
    plain = EXACT(queries, keys, block_bytes=5000)
    for masks in ([None, None], [torch.ones(2, 6, 11, dtype=torch.bool), None]):
        masked = EXACT(queries, keys, masks=masks, block_bytes=5000)
        assert torch.equal(masked.relevance, plain.relevance) and torch.equal(masked.index, plain.index)


def test_a_reference_may_be_masked_whole_if_another_is_not():
    queries, keys = features(21, 2, 8, (4, 5)), [features(22, 2, 8, (4, 5)), features(23, 2, 8, (5, 6))]
    none, some = torch.zeros(2, 4, 5, dtype=torch.bool), torch.ones(2, 5, 6, dtype=torch.bool)
    relevance, index = EXACT(queries, keys, masks=[none, some])
    alone = EXACT(queries, keys[1:])
    assert torch.equal(index, alone.index + 20) and torch.equal(relevance, alone.relevance)
    some[1] = False
    with pytest.raises(ValueError, match="nothing is left to match"):
        EXACT(queries, keys, masks=[none, some])
    with pytest.raises(ValueError, match=r"a mask of torch\.bool \(2, 5, 6\) for keys \(2, 8, 4, 5\)"):
        EXACT(queries, keys, masks=[some, none])
    EXACT(queries, keys, masks=[none, None])
