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
    weight = network.get_parameter("synthesis.shallow.chain.blocks.0.conv2.weight")
    before = weight.clone()
    scale_residuals(network, 0.1)
    torch.testing.assert_close(weight, 0.1 * before)


def test_a_trunk_needs_the_bicubic_skip():
    with pytest.raises(ValueError, match="trunk_channels needs bicubic_skip"):
        TTSRConfig(trunk_channels=8)


def test_a_width_that_is_the_same_is_none_of_its_own():
    assert TTSRConfig(8, channels_2x=8, channels_4x=4) == TTSRConfig(8, channels_4x=4)
    assert TTSRConfig(8, channels_4x=4).widths == (8, 8, 4)


@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("trunk", [0, 10])
def test_the_textures_are_added_to_another_base(trunk, tiled):
    torch.manual_seed(1)
    config = TTSRConfig(6, (3, 1, 1, 1), (4, 6, 8), 5, 4, trunk, bicubic_skip=True, refinement_radius=2)
    network, (lr, ref) = TTSR(config).eval(), images((21, 17), (24, 20))
    base = images((84, 68))[0]
    with torch.no_grad():
        network.synthesis.merge.tail2.weight.zero_()
        assert network.synthesis.merge.tail2.bias is not None
        network.synthesis.merge.tail2.bias.fill_(0.01)
        result = network(lr, ref, base=base, block_bytes=4096, keep_textures=not tiled)
    torch.testing.assert_close(result.sr, (base + 0.005).clamp(max=1), atol=1e-6, rtol=0)


def test_what_is_added_depends_on_the_base():
    network, (lr, ref) = model(), images((9, 7), (24, 20))
    dark, bright = torch.full((2, 3, 36, 28), 0.4), torch.full((2, 3, 36, 28), 0.6)
    added = [network(lr, ref, base=base).sr - base for base in (dark, bright)]
    assert not torch.allclose(added[0], added[1], atol=1e-4)


def test_a_base_must_fit():
    (lr, ref, base) = images((9, 7), (24, 20), (36, 24))
    with pytest.raises(ValueError, match="base"):
        model()(lr, ref, base=base)
    published = TTSR(TTSRConfig(4, (0, 0, 0, 0), (4, 4, 4)))
    with pytest.raises(ValueError, match="bicubic_skip"):
        published(lr, ref, base=images((36, 28))[0])
