"""The coarse-to-fine search: right where the match is known, and never above the exact maximum."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings, strategies as st
from torch import Tensor

from ttsr.models import textbook
from ttsr.models.correspondence.coherent import COHERENT
from ttsr.models.correspondence.exact import EXACT
from ttsr.models.correspondence.relevance import relevance_at
from ttsr.progress import Cancelled, Progress
from ttsr.system.threads import use_threads

sides = st.integers(1, 40)
grids = st.tuples(sides, sides)


def features(seed: int, batch: int, channels: int, grid: tuple[int, int]) -> Tensor:
    """Like the extractor's: not negative, smooth with grain, a good part of them zero."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(batch, channels, grid[0] // 4 + 2, grid[1] // 4 + 2, generator=generator)
    smooth = F.interpolate(coarse, size=grid, mode="bilinear")
    return (smooth + 0.3 * torch.randn(batch, channels, *grid, generator=generator)).relu()


@pytest.mark.parametrize("shift", [(0, 0), (5, 9), (17, 3)])
def test_a_shifted_copy_is_found(shift, device):
    key = features(0, 1, 16, (70, 90)).to(device)
    query = key[:, :, shift[0] : shift[0] + 48, shift[1] : shift[1] + 60]
    relevance, index = COHERENT(query, [key])
    inner = (slice(None), slice(1, -1), slice(1, -1))  # at the border patches differ
    rows, columns = torch.meshgrid(torch.arange(48), torch.arange(60), indexing="ij")
    expected = (rows + shift[0]) * 90 + columns + shift[1]
    assert torch.equal(index.cpu()[inner][0], expected[1:-1, 1:-1])
    assert relevance[:, 0][inner].min() > 1 - 1e-5


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    batch=st.integers(1, 2),
    query_grid=grids,
    key_grids=st.lists(grids, min_size=1, max_size=3),
)
def test_relevance_is_that_of_the_match_and_at_most_the_maximum(seed, batch, query_grid, key_grids):
    queries = features(seed, batch, 5, query_grid)
    keys = [features(seed + 1 + i, batch, 5, grid) for i, grid in enumerate(key_grids)]
    relevance, index = COHERENT(queries, keys)
    torch.testing.assert_close(relevance_at(queries, keys, index), relevance, atol=2e-6, rtol=0)
    maximum, _ = textbook.search(queries, keys)
    assert (relevance <= maximum + 2e-6).all()
    assert index.min() >= 0 and index.max() < sum(height * width for height, width in key_grids)
    if min(*query_grid, *(side for grid in key_grids for side in grid)) <= 6:  # too small for pooling
        torch.testing.assert_close(relevance, maximum, atol=2e-6, rtol=0)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), left=st.integers(0, 20), top=st.integers(0, 20))
def test_masked_keys_never_win(seed, left, top):
    queries, keys = features(seed, 2, 5, (30, 33)), [features(seed + i, 2, 5, (31, 36)) for i in (1, 2)]
    mask = torch.zeros(2, 31, 36, dtype=torch.bool)
    mask[:, top : top + 3, left : left + 2] = True
    relevance, index = COHERENT(queries, keys, masks=[mask, torch.zeros_like(mask)])
    assert mask[0].flatten()[index].all()
    assert relevance.isfinite().all()


def test_items_and_references_are_searched_as_if_alone():
    queries, keys = features(1, 3, 8, (40, 50)), [features(2, 3, 8, (60, 44)), features(3, 3, 8, (33, 70))]
    together = COHERENT(queries, keys)
    for item in range(3):
        part = slice(item, item + 1)
        alone = COHERENT(queries[part], [key[part] for key in keys])
        assert torch.equal(alone.index, together.index[part])
    nothing = torch.zeros(3, 60, 44, dtype=torch.bool)
    masked, second = COHERENT(queries, keys, masks=[nothing, None]), COHERENT(queries, keys[1:])
    assert torch.equal(masked.index, second.index + 60 * 44)


@pytest.mark.parametrize("matcher", [EXACT, COHERENT])
def test_features_of_16_bits_are_compared_in_32(matcher, device):
    """Under autocast too, which would round the products."""
    queries, keys = (
        features(4, 1, 16, (24, 30)).bfloat16().to(device),
        features(5, 1, 16, (40, 28)).bfloat16().to(device),
    )
    with torch.autocast(device.type, torch.bfloat16):
        relevance, index = matcher(queries, [keys])
    assert relevance.dtype == torch.float32
    expected = relevance_at(queries.float(), [keys.float()], index)
    torch.testing.assert_close(relevance, expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize("matcher", [EXACT, COHERENT])
def test_any_number_of_threads_finds_the_same(matcher):
    queries, keys = features(6, 2, 16, (60, 140)), [features(7, 2, 16, (50, 61)), features(8, 2, 16, (33, 40))]
    before, found = torch.get_num_threads(), []
    for threads in (1, 2, 3):
        use_threads(threads)
        found.append(matcher(queries, keys))
    use_threads(before)
    for other in found[1:]:
        assert torch.equal(other.index, found[0].index)
        torch.testing.assert_close(other.relevance, found[0].relevance, atol=2e-6, rtol=0)


def test_a_start_that_is_right_is_kept():
    """Noise without structure, in which pooled features lead nowhere."""
    key = torch.randn(1, 8, 64, 64, generator=torch.Generator().manual_seed(5))
    query = key[:, :, 8:40, 8:40]
    rows, columns = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    right = ((rows + 8) * 64 + columns + 8)[None]
    _, index = COHERENT(query, [key], start=right)
    assert torch.equal(index[:, 1:-1, 1:-1], right[:, 1:-1, 1:-1])


def test_its_cost_grows_with_the_cells_and_not_with_the_pairs():
    small, large = (COHERENT.cost((side, side), [(side, side)], 64, 4) for side in (200, 400))
    assert large.multiply_adds < 4.5 * small.multiply_adds and large.pairs < 4.5 * small.pairs
    assert EXACT.cost((400, 400), [(400, 400)], 64, 4).pairs > 50 * large.pairs


def test_progress_rises_to_the_end_and_cancels():
    fractions: list[float] = []
    COHERENT(
        features(1, 2, 4, (40, 40)), [features(2, 2, 4, (40, 40))], progress=Progress(lambda f, _: fractions.append(f))
    )
    assert fractions == sorted(fractions) and fractions[-1] == pytest.approx(1)
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        COHERENT(features(1, 1, 4, (40, 40)), [features(2, 1, 4, (40, 40))], progress=progress)
