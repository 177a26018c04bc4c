"""The ablation's networks: each omits exactly what its row lacks; then the whole TTSR, and one beyond the paper."""

import pytest
import torch
from ablation.networks import VARIANTS, Variant
from torch import Tensor

from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR

TINY = TTSRConfig(channels=8, num_blocks=(1, 1, 1, 1), extractor_channels=(4, 8, 8), bicubic_skip=True)
BASE, HARD, SOFT, TRAINED, CSFI, REFINED = VARIANTS


def build(variant: Variant) -> TTSR:
    torch.manual_seed(0)
    return variant(TINY)


def images(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, 8, 8, generator=generator), torch.rand(1, 3, 32, 32, generator=generator)


def stage_inputs() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """lr, relevance and the textures of the 1x and 2x levels."""
    generator = torch.Generator().manual_seed(1)
    sizes = ((1, 3, 8, 8), (1, 1, 8, 8), (1, 8, 8, 8), (1, 8, 16, 16))
    lr, relevance, texture1, texture2 = (torch.rand(size, generator=generator) for size in sizes)
    return lr, relevance, texture1, texture2


def test_the_papers_last_row_is_the_whole_network():
    torch.manual_seed(0)
    whole, ours = TTSR(TINY), build(CSFI)
    assert whole.state_dict().keys() == ours.state_dict().keys()
    lr, ref = images()
    assert torch.equal(whole(lr, ref).sr, ours(lr, ref).sr)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_shared_parts_have_the_same_initial_weights(variant):
    whole = build(CSFI).state_dict()
    for name, value in build(variant).state_dict().items():
        if name.startswith("synthesis.merge.conv") and not variant.csfi:
            assert value.shape != whole[name].shape or name.endswith("bias")
        elif name.startswith("transfer."):
            assert variant is REFINED
        else:
            assert torch.equal(value, whole[name])


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_the_reference_matters_where_textures_are_transferred(variant):
    model = build(variant)
    (lr, ref), (_, other) = images(), images(1)
    assert torch.equal(model(lr, ref).sr, model(lr, other).sr) == (not variant.transfers)


@pytest.mark.parametrize("variant", VARIANTS[1:], ids=lambda variant: variant.name)
def test_hard_attention_alone_ignores_the_relevance(variant):
    synthesis = build(variant).synthesis
    lr, relevance, texture1, texture2 = stage_inputs()
    texture4 = torch.rand(1, 4, 32, 32)
    one, other = (synthesis(lr, s, (texture1, texture2, texture4)) for s in (relevance, 0.5 * relevance))
    assert torch.equal(one, other) == (not variant.soft)
    as_if_certain = build(SOFT).synthesis(lr, torch.ones_like(relevance), (texture1, texture2, texture4))
    assert torch.allclose(one, as_if_certain, atol=1e-5) == (variant is HARD)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_scales_interact_only_through_integration(variant):
    """Coarse features do not depend on finer textures, nor the image on coarser features than the 4x ones."""
    synthesis = build(variant).synthesis
    lr, relevance, texture1, texture2 = stage_inputs()
    x1, x2, _ = synthesis.coarse(lr, relevance, texture1, texture2)
    y1, _, _ = synthesis.coarse(lr, relevance, texture1, texture2 + 1)
    assert torch.equal(x1, y1) == (not variant.csfi)
    relevance, texture4 = relevance.detach(), torch.rand(1, 4, 32, 32)
    x1, x2 = x1.detach().requires_grad_(), x2.detach().requires_grad_()
    synthesis.fine(x1, x2, relevance, texture4).sum().backward()
    assert (x1.grad is None) == (not variant.csfi)
    assert x2.grad is not None and x2.grad.abs().sum() > 0


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_each_counted_and_trained_parameter_gets_a_gradient(variant):
    model = build(variant)
    lr, ref = images()
    model(lr, ref).sr.square().sum().backward()
    learning = sum(p.numel() for p in model.parameters() if p.grad is not None)
    fixed = 0 if variant.trained or not variant.transfers else sum(p.numel() for p in model.extractor.parameters())
    assert variant.num_parameters(TINY) == learning + fixed


def test_streamed_and_whole_results_are_the_same():
    lr, ref = images()
    for variant in VARIANTS:
        model = build(variant).eval()
        with torch.inference_mode():
            whole, streamed = model(lr, ref), model(lr, ref, block_bytes=2**14, keep_textures=False)
        assert torch.allclose(whole.sr, streamed.sr, atol=1e-5)
