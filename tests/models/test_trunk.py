"""Networks with a trunk: the base is what they give without a reference, and textures come on top of it."""

import pytest
import torch
from torch import Tensor

from ttsr.models.blocks import scale_residuals
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR

SIZES = TTSRConfig(6, (3, 1, 1, 1), (4, 6, 8), 5, 4, 10, bicubic_skip=True, refinement_radius=2)


def images(*sizes: tuple[int, int]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.rand(2, 3, *size, generator=generator) for size in sizes]


def model() -> TTSR:
    torch.manual_seed(1)
    return TTSR(SIZES).eval()


def test_without_a_reference_only_the_trunk_runs():
    network, (lr,) = model(), images((9, 7))
    ran = []
    for name, module in network.named_modules():
        if not list(module.children()):
            module.register_forward_hook(lambda *_, name=name: ran.append(name))
    result = network(lr, ())
    assert result.base is not None and torch.equal(result.sr, result.base)
    assert ran and all(name.startswith("synthesis.shallow.") for name in ran)


def test_the_base_does_not_depend_on_the_reference():
    network, (lr, one, other) = model(), images((9, 7), (24, 20), (16, 28))
    alone = network(lr, ())
    for ref in (one, other):
        result = network(lr, ref)
        assert result.base is not None and torch.equal(result.base, alone.sr)
        assert not torch.equal(result.sr, result.base)


def test_textures_that_add_nothing_leave_the_base():
    network, (lr, ref) = model(), images((9, 7), (24, 20))
    with torch.no_grad():
        network.synthesis.merge.tail2.weight.zero_()
        assert network.synthesis.merge.tail2.bias is not None
        network.synthesis.merge.tail2.bias.zero_()
    result = network(lr, ref)
    assert torch.equal(result.sr, result.base)


@pytest.mark.parametrize("with_reference", [True, False])
def test_in_tiles_it_is_the_same(with_reference):
    network, (lr, ref) = model(), images((61, 45), (24, 20))
    refs = [ref] * with_reference
    with torch.no_grad():
        whole = network(lr, refs)
        tiled = network(lr, refs, block_bytes=4096, keep_textures=False)
    torch.testing.assert_close(tiled.sr, whole.sr, atol=1e-5, rtol=0)


def test_the_trunk_learns_from_the_base_and_from_the_result():
    network, (lr, ref) = model().train(), images((9, 7), (24, 20))
    result = network(lr, ref)
    weight = network.synthesis.shallow.head.weight
    for image in (result.base, result.sr):
        (gradient,) = torch.autograd.grad(image.square().sum(), weight, retain_graph=True)
        assert gradient.abs().sum() > 0


def test_residual_blocks_of_the_trunk_start_near_the_identity_too():
    network = model()
    before = network.synthesis.shallow.chain.blocks[0].conv2.weight.clone()
    scale_residuals(network, 0.1)
    torch.testing.assert_close(network.synthesis.shallow.chain.blocks[0].conv2.weight, 0.1 * before)


def test_a_trunk_needs_the_bicubic_skip():
    with pytest.raises(ValueError, match="trunk_channels needs bicubic_skip"):
        TTSRConfig(trunk_channels=8)


def test_a_width_that_is_the_same_is_none_of_its_own():
    assert TTSRConfig(8, channels_2x=8, channels_4x=4) == TTSRConfig(8, channels_4x=4)
    assert TTSRConfig(8, channels_4x=4).widths == (8, 8, 4)
