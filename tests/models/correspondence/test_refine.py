"""Matches to the pixel: refined, transferred, and how far they are let in."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ttsr.models.config import TTSRConfig
from ttsr.models.correspondence.confidence import MatchConfidence
from ttsr.models.correspondence.pixel_transfer import PixelTransfer, gather_pixels
from ttsr.models.correspondence.refine import coherence, luma, refine
from ttsr.models.correspondence.types import Box, Refinement
from ttsr.models.ttsr import TTSR


def random(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def smooth(seed: int, *shape: int) -> Tensor:
    """Noise of the LR's frequencies."""
    small = random(seed, 1, 1, shape[1] // 4 + 2, shape[2] // 4 + 2)
    return F.interpolate(small, scale_factor=4, mode="bicubic")[0, :, : shape[1], : shape[2]]


def cells(height: int, width: int, down: int, right: int, grid_width: int) -> Tensor:
    """(1, h, w) index whose every cell matches so many cells down and right of itself."""
    y, x = torch.arange(height)[:, None] + down, torch.arange(width) + right
    return (y * grid_width + x)[None]


@pytest.mark.parametrize("move", [(0, 0), (2, -2), (-1, 2), (1, 0)])
def test_a_shift_of_pixels_is_refined(move):
    down, right = move
    reference = smooth(1, 1, 64, 72)
    # LR pixels lie at (8, 12) in the reference, and so many pixels beside.
    lr_up = reference[:, 8 + down : 48 + down, 12 + right : 52 + right]
    refined = refine(lr_up, [reference], cells(10, 10, 2, 3, 18), radius=2)
    inside = refined.shift[0, :, 1:-1, 1:-1]
    assert (inside[0] == 8 + down).all() and (inside[1] == 12 + right).all()
    assert refined.zncc[0, 0, 1:-1, 1:-1].min() > 0.999


def test_neither_gain_nor_offset_matter_and_two_references_are_told_apart():
    first, second = smooth(2, 1, 40, 40), smooth(3, 1, 32, 48)
    lr_up = 0.5 * second[:, 5:29, 9:41] + 0.2
    index = 100 + cells(6, 8, 1, 2, 12)
    plain = refine(lr_up, [first, second], index, radius=2)
    assert (plain.reference == 1).all()
    assert (plain.shift[0, 0, 1:-1, 1:-1] == 5).all() and (plain.shift[0, 1, 1:-1, 1:-1] == 9).all()


def test_where_nothing_can_be_told_the_match_stays_where_it_is():
    flat = torch.full((1, 40, 40), 0.3)
    refined = refine(flat[:, :24, :24], [flat], cells(6, 6, 2, 1, 10), radius=2)
    assert (refined.shift[:, 0] == 8).all() and (refined.shift[:, 1] == 4).all()
    assert refined.zncc.abs().max() < 1e-3


def test_items_of_a_batch_are_aligned_apart():
    reference = torch.cat([smooth(4, 1, 40, 40), smooth(5, 1, 40, 40)])
    lr_up = torch.stack([reference[0, 5:29, 6:30], reference[1, 3:27, 4:28]])
    index = cells(6, 6, 1, 1, 10).expand(2, -1, -1)
    both = refine(lr_up, [reference], index, radius=2)
    for item in range(2):
        alone = refine(lr_up[item : item + 1], [reference[item : item + 1]], index[:1], radius=2)
        assert torch.equal(both.shift[item], alone.shift[0])
        torch.testing.assert_close(both.zncc[item], alone.zncc[0])


def constant(height: int, width: int, down: int, right: int) -> Refinement:
    shift = torch.tensor([down, right])[None, :, None, None].expand(1, 2, height, width)
    return Refinement(torch.zeros(1, height, width, dtype=torch.long), shift, torch.ones(1, 1, height, width))


def test_in_a_batch_each_item_is_aligned_in_its_own_of_several_references():
    references = [smooth(20, 1, 24, 28), smooth(21, 1, 40, 36)]
    references = [torch.cat([r, smooth(22 + n, *r.shape)]) for n, r in enumerate(references)]
    lr_up = torch.stack([references[0][0, 3:19, 5:21], references[1][1, 9:25, 6:22]])
    index = torch.cat([cells(4, 4, 1, 1, 7), 42 + cells(4, 4, 2, 1, 9)])
    refined = refine(lr_up, references, index, radius=2)
    assert refined.reference[0].eq(0).all() and refined.reference[1].eq(1).all()
    assert refined.shift[:, :, 1, 1].tolist() == [[3, 5], [9, 6]]


def test_a_flat_place_stays_beside_any_texture():
    flat, reference = torch.full((1, 24, 24), 0.3), random(25, 1, 40, 40)
    refined = refine(flat, [reference], cells(6, 6, 2, 1, 10), radius=2)
    assert (refined.shift[:, 0] == 8).all() and (refined.shift[:, 1] == 4).all()


@pytest.mark.parametrize("cell", [1, 2, 4])
def test_each_item_takes_of_its_own_reference(cell):
    images = [random(26 + n, 2, 3, h * cell, w * cell) for n, (h, w) in enumerate([(5, 6), (4, 7)])]
    shift = torch.tensor([[4, 6], [-2, 3]])[:, :, None, None].expand(2, 2, 3, 3)
    number = torch.tensor([1, 0])[:, None, None].expand(2, 3, 3)
    tables = [image.flatten(2).transpose(1, 2) for image in images]
    got = gather_pixels(
        Refinement(number, shift, torch.ones(2, 1, 3, 3)), tables, [(5, 6), (4, 7)], cell, Box(0, 3, 0, 3)
    )
    for item in range(2):
        image = images[number[item, 0, 0]][item]
        # To the nearest pixel of the level, halves upwards.
        down, right = ((int(move) * cell + 2) // 4 for move in shift[item, :, 0, 0])
        y = (torch.arange(3 * cell) + down).clamp(0, image.shape[1] - 1)
        x = (torch.arange(3 * cell) + right).clamp(0, image.shape[2] - 1)
        torch.testing.assert_close(got[item], image[:, y][:, :, x])


@pytest.mark.parametrize("box", [Box(0, 2, 0, 3), Box(1, 4, 2, 5), Box(3, 5, 0, 6)])
def test_a_box_equals_the_same_part_of_the_whole(box):
    generator = torch.Generator().manual_seed(40)
    shift = torch.randint(-9, 10, (2, 2, 5, 6), generator=generator)
    number = torch.randint(0, 2, (2, 5, 6), generator=generator)
    refinement = Refinement(number, shift, torch.ones(2, 1, 5, 6))
    levels = [random(seed, 2, rows, 2) for seed, rows in ((41, 4 * 24), (42, 4 * 12))]
    whole = gather_pixels(refinement, levels, [(4, 6), (3, 4)], 2, Box(0, 5, 0, 6))
    part = gather_pixels(refinement, levels, [(4, 6), (3, 4)], 2, box)
    assert torch.equal(part, whole[:, :, 2 * box.top : 2 * box.bottom, 2 * box.left : 2 * box.right])


@pytest.mark.parametrize("cell", [1, 2, 4])
def test_one_common_shift_is_a_crop(cell):
    image = random(6, 1, 3, 12 * cell, 11 * cell)
    table = image.flatten(2).transpose(1, 2)
    got = gather_pixels(constant(5, 6, 8, 4), [table], [(12, 11)], cell, Box(0, 5, 0, 6))
    torch.testing.assert_close(got, image[:, :, 2 * cell : 7 * cell, cell : 7 * cell])


def test_shifts_are_to_the_pixel_and_borders_repeat():
    image = random(7, 1, 2, 24, 24)
    table = image.flatten(2).transpose(1, 2)
    got = gather_pixels(constant(6, 6, 3, -2), [table], [(6, 6)], 4, Box(0, 6, 0, 6))
    y, x = torch.arange(24) + 3, torch.arange(24) - 2
    expected = image[:, :, y.clamp(0, 23)][:, :, :, x.clamp(0, 23)]
    torch.testing.assert_close(got, expected)


def test_each_pixel_is_the_mean_of_nine_neighbours_finds():
    image = random(8, 1, 1, 32, 32)
    shift = torch.zeros(1, 2, 4, 4, dtype=torch.long)
    shift[0, :, 1, 1] = torch.tensor([5, 7])
    refinement = Refinement(torch.zeros(1, 4, 4, dtype=torch.long), shift, torch.ones(1, 1, 4, 4))
    got = gather_pixels(refinement, [image.flatten(2).transpose(1, 2)], [(8, 8)], 4, Box(0, 4, 0, 4))
    here, moved = image[0, 0, :16, :16], image[0, 0, 5:21, 7:23]
    near = torch.zeros(16, 16, dtype=torch.bool)
    near[:12, :12] = True  # of the one cell that matches elsewhere
    torch.testing.assert_close(got[0, 0], torch.where(near, (8 * here + moved) / 9, here))


def test_gradients_of_the_transfer_by_pixels_are_right():
    generator = torch.Generator().manual_seed(9)
    shift = torch.randint(-9, 10, (2, 2, 3, 4), generator=generator)
    number = torch.randint(0, 2, (2, 3, 4), generator=generator)
    refinement = Refinement(number, shift, torch.ones(2, 1, 3, 4))
    tables = [random(seed, 2, rows, 2).double().requires_grad_() for seed, rows in ((10, 4 * 24), (11, 4 * 12))]
    torch.autograd.gradcheck(
        lambda *both: gather_pixels(refinement, list(both), [(4, 6), (3, 4)], 2, Box(0, 3, 0, 4)), tuple(tables)
    )


def test_coherence_is_the_share_of_neighbours_that_match_beside():
    lonely = constant(3, 3, 8, 4)
    lonely.shift.data = lonely.shift.clone()
    lonely.shift[0, :, 1, 1] += 10
    refined = coherence(lonely)[0, 0]
    assert refined[1, 1] == 0 and refined[0, 0] == 7 / 8
    assert (coherence(constant(3, 3, 1, 1)) == 1).all()


@pytest.mark.parametrize(("apart", "agree"), [(3, True), (4, False)])
@pytest.mark.parametrize("axis", [0, 1])
def test_neighbours_agree_up_to_three_pixels_apart(axis, apart, agree):
    matches = constant(3, 3, 8, 4)
    matches.shift.data = matches.shift.clone()
    matches.shift[0, axis, 1, 1] += apart
    assert coherence(matches)[0, 0, 1, 1] == agree


def test_neighbours_in_another_reference_do_not_agree():
    apart = constant(3, 3, 8, 4)
    apart.reference[0, 1, 1] = 1
    assert coherence(apart)[0, 0, 1, 1] == 0


def test_confidence_begins_as_the_relevance():
    relevance = random(12, 2, 1, 5, 6)
    attention = MatchConfidence()(relevance, random(13, 2, 1, 5, 6), random(14, 2, 1, 5, 6))
    torch.testing.assert_close(attention, relevance.expand(-1, 3, -1, -1))


def refining_model() -> TTSR:
    torch.manual_seed(0)
    model = TTSR(TTSRConfig(8, (1, 1, 1, 1), (4, 6, 8), refinement_radius=2)).eval()
    assert isinstance(model.transfer, PixelTransfer)
    torch.nn.init.normal_(model.transfer.confidence.conv2.weight)
    return model


@pytest.mark.parametrize("size", [(1, 6), (40, 6), (130, 6), (6, 130)])
def test_streamed_strips_equal_the_whole(size):
    model, lr = refining_model(), random(15, 1, 3, *size)
    references = [random(16, 1, 3, 200, 20), random(17, 1, 3, 40, 32)]
    with torch.no_grad():
        whole = model(lr, references)
        strips = model(lr, references, block_bytes=4096, keep_textures=False)
        one_by_one = model(lr, [model.encode_reference(reference, block_bytes=4096) for reference in references])
    torch.testing.assert_close(strips.sr, whole.sr, atol=2e-5, rtol=0)
    torch.testing.assert_close(one_by_one.sr, whole.sr, atol=2e-5, rtol=0)


def test_with_gradients_it_is_the_same_network():
    model, lr, ref = refining_model(), random(18, 2, 3, 8, 8), random(19, 2, 3, 32, 36)
    with torch.no_grad():
        expected = model(lr, ref)
    made = model(lr, ref)
    torch.testing.assert_close(made.sr, expected.sr, atol=2e-5, rtol=0)
    torch.testing.assert_close(made.attention, expected.attention, atol=2e-5, rtol=0)
    made.sr.mean().backward()
    assert isinstance(model.transfer, PixelTransfer)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.transfer.confidence.parameters())


def test_luma_weighs_red_green_and_blue():
    colours = torch.eye(3)[:, :, None, None]
    torch.testing.assert_close(luma(colours).flatten(), torch.tensor([0.299, 0.587, 0.114]))
