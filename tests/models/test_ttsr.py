"""The network put together: against the textbook form, streamed, with several references, in training."""

import pytest
import torch
from torch import Tensor

from ttsr.models import textbook
from ttsr.models.blocks import ResidualBlock, scale_residuals
from ttsr.models.config import TTSRConfig
from ttsr.models.inputs import resize
from ttsr.models.ttsr import TTSR
from ttsr.progress import Progress

SMALL = TTSRConfig(channels=8, num_blocks=(2, 2, 1, 1), extractor_channels=(6, 8, 12))


def into(fractions: list[float]) -> Progress:
    """A progress that only notes the fractions."""
    return Progress(lambda fraction, _: fractions.append(fraction))


def random(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def small_model(**changes: bool) -> TTSR:
    torch.manual_seed(0)
    return TTSR(TTSRConfig(**{**vars(SMALL), **changes})).eval()


def test_the_published_network_has_6_73_million_parameters():
    assert sum(p.numel() for p in TTSR().parameters()) == 6_729_603


@pytest.mark.parametrize("bicubic_skip", [False, True])
def test_equals_the_textbook_form_with_two_references_and_a_batch(bicubic_skip):
    model = small_model(bicubic_skip=bicubic_skip)
    lr, refs = random(1, 2, 3, 9, 7), [random(2, 2, 3, 24, 32), random(3, 2, 3, 16, 8)]
    lr_up, blurs = resize(lr, 4), [resize(resize(ref, 0.25), 4) for ref in refs]
    with torch.no_grad():
        ours = model(lr, refs)
        theirs = textbook.forward(model, lr, lr_up, refs, blurs)
    assert torch.equal(ours.index, theirs.index)
    torch.testing.assert_close(ours.relevance, theirs.relevance, atol=2e-6, rtol=0)
    torch.testing.assert_close(ours.sr, theirs.sr, atol=1e-5, rtol=0)
    assert ours.textures is not None and theirs.textures is not None
    for ours_level, level in zip(ours.textures, theirs.textures, strict=True):
        torch.testing.assert_close(ours_level, level, atol=1e-5, rtol=0)
    assert ours.sr.shape == (2, 3, 36, 28) and ours.sr.min() >= 0 and ours.sr.max() <= 1


@pytest.mark.parametrize(
    "size, ref_size", [((1, 6), (200, 20)), ((40, 6), (200, 20)), ((130, 6), (12, 600)), ((5, 150), (24, 28))]
)
def test_streamed_strips_equal_the_whole(size, ref_size):
    model = small_model()
    lr, ref = random(4, 1, 3, *size), random(5, 1, 3, *ref_size)
    seen: list[float] = []
    with torch.no_grad():
        whole = model(lr, ref)
        strips = model(lr, ref, block_bytes=4096, keep_textures=False, progress=into(seen))
    torch.testing.assert_close(strips.sr, whole.sr, atol=2e-5, rtol=0)
    assert torch.equal(strips.index, whole.index)
    assert strips.textures is None and whole.textures is not None
    assert seen == sorted(seen) and seen[-1] == pytest.approx(1)


def test_the_fine_stage_reaches_no_farther_than_it_says():
    """Change one LR row of its inputs: output rows beyond the reach must not move."""
    model = TTSR(TTSRConfig(channels=4, num_blocks=(0, 0, 0, 2), extractor_channels=(4, 4, 4))).eval().double()
    reach, height, changed = model.synthesis.reach.fine, 60, 30
    x1, x2, texture = (random(s, 1, 4, factor * height, factor * 3).double() for s, factor in ((1, 1), (2, 2), (3, 4)))
    relevance = random(4, 1, 1, height, 3).double()
    with torch.no_grad():
        before = model.synthesis.fine(x1, x2, relevance, texture)
        for tensor, factor in ((x1, 1), (x2, 2), (relevance, 1), (texture, 4)):
            moved = tensor.clone()
            moved[:, :, factor * changed : factor * (changed + 1)] += 1
            inputs = [moved if t is tensor else t for t in (x1, x2, relevance, texture)]
            rows = (model.synthesis.fine(*inputs) - before).abs().amax((0, 1, 3)).nonzero()[:, 0] // 4
            assert changed - reach <= rows.min() and rows.max() <= changed + reach


def test_encoded_references_give_the_same_as_images():
    model = small_model()
    lr, refs = random(6, 1, 3, 5, 8), [random(7, 1, 3, 12, 16), random(8, 1, 3, 20, 4)]
    with torch.no_grad():
        direct = model(lr, refs)
        encoded = model(lr, [model.encode_reference(ref) for ref in refs])
    assert torch.equal(direct.sr, encoded.sr)
    assert encoded.index.max() < 3 * 4 + 5 * 1


def test_references_are_cut_to_whole_cells():
    model = small_model()
    lr, ref = random(20, 1, 3, 5, 8), random(21, 1, 3, 19, 14)
    with torch.no_grad():
        whole, cut = model(lr, ref), model(lr, ref[:, :, :16, :12])
    assert torch.equal(whole.sr, cut.sr)


def test_with_and_without_gradients_the_output_is_the_same():
    model = small_model(bicubic_skip=True)
    lr, ref = random(22, 2, 3, 9, 6), random(23, 2, 3, 24, 28)
    with torch.no_grad():
        without = model(lr, ref)
    torch.testing.assert_close(model(lr, ref).sr, without.sr, atol=1e-5, rtol=0)


def test_gradients_equal_the_textbook_form():
    model = small_model().double()
    lr, ref = random(9, 2, 3, 6, 6).double(), random(10, 2, 3, 24, 24).double()
    target = random(11, 2, 3, 24, 24).double()
    lr_up, blur = resize(lr, 4), resize(resize(ref, 0.25), 4)

    def gradients(output: Tensor) -> list[Tensor]:
        model.zero_grad()
        (output - target).square().mean().backward()
        return [p.grad.clone() for p in model.parameters() if p.grad is not None]

    wanted = gradients(textbook.forward(model, lr, lr_up, [ref], [blur]).sr)
    found = gradients(model(lr, ref).sr)
    assert len(wanted) == len(found) == len(list(model.parameters()))
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-6)


@pytest.mark.parametrize("encoded", [False, True])
def test_masked_cells_are_not_matched(encoded):
    """With a mask over all but its left half, a padded reference gives what the half alone gives, seam apart."""
    model = small_model()
    lr, ref = random(30, 2, 3, 6, 5), random(31, 2, 3, 26, 33)
    mask = torch.zeros(2, 6, 8, dtype=torch.bool)
    mask[0, :, :4] = True
    mask[1, 2:, :5] = True
    with torch.no_grad():
        kept = model.encode_reference(ref, mask=mask)
        output = model(lr, [kept] if encoded else ref, ref_mask=None if encoded else mask)
        keys = model.extractor.coarse(resize(resize(ref[:, :, :24, :32], 0.25), 4))
        relevance, index = textbook.search(model.extractor.coarse(resize(lr, 4)), [keys], [mask])
    assert kept.mask is mask
    assert torch.equal(output.index, index)
    torch.testing.assert_close(output.relevance, relevance, atol=2e-6, rtol=0)
    assert output.index[0].remainder(8).max() < 4 and output.index[1].min() >= 16


@pytest.mark.parametrize("bicubic_skip", [False, True])
def test_without_a_reference_it_is_the_network_at_relevance_zero(bicubic_skip):
    model = small_model(bicubic_skip=bicubic_skip)
    lr, seen = random(32, 2, 3, 40, 5), []
    textures = (random(33, 2, 12, 40, 5), random(34, 2, 8, 80, 10), random(35, 2, 6, 160, 20))
    with torch.no_grad():
        expected = model.synthesis(2 * lr - 1, torch.zeros(2, 1, 40, 5), textures)
        expected = (expected + (2 * resize(lr, 4) - 1) * bicubic_skip).clamp(-1, 1) / 2 + 0.5
        output = model(lr, (), progress=into(seen))
        strips = model(lr, (), block_bytes=4096, keep_textures=False)
    torch.testing.assert_close(output.sr, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(strips.sr, expected, atol=1e-5, rtol=0)
    assert torch.equal(output.relevance, torch.zeros(2, 1, 40, 5))
    assert torch.equal(output.index, torch.full((2, 40, 5), -1))
    assert output.textures is None and output.queries is None
    assert seen == sorted(seen) and seen[-1] == pytest.approx(1)


def test_without_a_reference_the_rest_still_learns():
    model = small_model().train()
    output = model(random(36, 1, 3, 4, 4), [])
    output.sr.sum().backward()
    closed = ("extractor.", "synthesis.attention")
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == name.startswith(closed), name


def test_training_mode_does_not_clamp():
    model = small_model(bicubic_skip=True).train()
    with torch.no_grad():
        for p in model.synthesis.merge.tail2.parameters():
            p.fill_(3.0)
    out = model(random(12, 1, 3, 4, 4), random(13, 1, 3, 16, 16))
    assert out.sr.max() > 1


def test_scaled_residuals_start_near_the_identity():
    model = small_model()
    block = model.synthesis.chain1.blocks[0]
    assert isinstance(block, ResidualBlock) and block.conv2.bias is not None
    scale_residuals(model, 0.0)
    x = random(14, 1, 8, 5, 5)
    with torch.no_grad():
        torch.testing.assert_close(block(x), x + block.conv2.bias.view(1, -1, 1, 1))


@pytest.mark.parametrize(
    "lr, ref, options, word",
    [
        ((1, 1, 4, 4), (1, 3, 8, 8), {}, "lr must be"),
        ((1, 3, 4, 4), (1, 3, 8, 3), {}, "at least 4"),
        ((2, 3, 4, 4), (1, 3, 8, 8), {}, "batch of 2 LR images with one of 1"),
        ((1, 3, 4, 4), (2, 3, 8, 8), {}, "batch of 1 LR images with one of 2"),
        ((2, 3, 4, 4), (2, 3, 8, 8), {"lr_up": torch.zeros(1, 3, 16, 16)}, "not 4 x lr"),
        ((1, 3, 4, 4), (1, 3, 0, 4), {}, "ref must be"),
        ((1, 3, 4, 4), (1, 3, 8, 8), {"lr_up": torch.zeros(1, 3, 8, 8)}, "not 4 x lr"),
        ((1, 3, 4, 4), (1, 3, 8, 8), {"ref_blur": torch.zeros(1, 3, 4, 4)}, "ref_blur is"),
        ((1, 3, 4, 4), (1, 3, 8, 8), {"ref_blur": [torch.zeros(1, 3, 8, 8)] * 2}, "1 references with 2 blurred"),
        ((1, 3, 4, 4), (1, 3, 8, 8), {"ref_mask": [None, None]}, "1 references with 2 masks"),
        ((1, 3, 4, 4), (1, 3, 9, 8), {"ref_mask": torch.ones(1, 2, 3).bool()}, r"must be bool \(1, 2, 2\), not"),
        ((1, 3, 4, 4), (1, 3, 8, 8), {"ref_mask": torch.ones(1, 2, 2)}, r"must be bool .* not torch.float32"),
        ((1, 3, 4, 4), (1, 3, 8, 8), {"ref_mask": torch.zeros(1, 2, 2).bool()}, "nothing is left to match"),
    ],
)
def test_misfit_sizes_are_named(lr, ref, options, word):
    with pytest.raises(ValueError, match=word):
        small_model()(torch.zeros(lr), torch.zeros(ref), **options)


def test_a_mask_comes_with_the_encoding():
    model, mask = small_model(), torch.ones(1, 2, 2, dtype=torch.bool)
    encoded = model.encode_reference(random(37, 1, 3, 8, 8))
    with pytest.raises(ValueError, match="give it to encode_reference"):
        model(random(38, 1, 3, 4, 4), encoded, ref_mask=mask)


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="cannot be built"):
        TTSRConfig(channels=0)
