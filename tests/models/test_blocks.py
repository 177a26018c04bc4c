"""Residual blocks and chains against their formulas."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ttsr.models.blocks import ResidualBlock, ResidualChain, bicubic_up
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR


def random(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1)) - 0.5


def test_a_residual_is_scaled_before_it_is_added():
    torch.manual_seed(0)
    block, x = ResidualBlock(3, 0.25), random(2, 3, 5, 7)
    first = F.conv2d(x, block.conv1.weight, block.conv1.bias, padding=1).clamp(min=0)
    expected = x + F.conv2d(first, block.conv2.weight, block.conv2.bias, padding=1) / 4
    torch.testing.assert_close(block(x), expected)


def test_res_scale_reaches_every_residual_block():
    model = TTSR(TTSRConfig(4, (1, 2, 1, 1), (4, 4, 4), res_scale=0.1))
    assert [m.scale for m in model.modules() if isinstance(m, ResidualBlock)] == [0.1] * (1 + 2 + 2 + 3)


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan")])
def test_a_useless_res_scale_is_refused(value):
    with pytest.raises(ValueError, match="res_scale must be positive and finite"):
        TTSRConfig(res_scale=value)


def test_checkpointing_keeps_less_and_gives_the_same_numbers():
    torch.manual_seed(0)
    chain = ResidualChain(4, 5)
    weights = {parameter.data_ptr() for parameter in chain.parameters()}
    kept, results = {}, {}
    for checkpointed in (False, True):
        chain.checkpointed = checkpointed
        chain.zero_grad()
        x, sizes = random(1, 4, 9, 6).requires_grad_(), {}

        def pack(value: Tensor, sizes: dict[int, int] = sizes) -> Tensor:
            sizes[value.data_ptr()] = value.numel()
            return value

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
            out = chain(x, x)
        kept[checkpointed] = sum(size for place, size in sizes.items() if place not in weights)
        out.square().sum().backward()
        results[checkpointed] = [out, x.grad, *(parameter.grad for parameter in chain.parameters())]
    for plain, again in zip(results[False], results[True], strict=True):
        assert plain is not None and torch.equal(plain, again)
    # The inputs of all ten convolutions and of the last; then those of blocks 1, 3 and 5, and of the last.
    assert kept == {False: 11 * 4 * 9 * 6, True: 4 * 4 * 9 * 6}


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("size", [(1, 1), (3, 40), (64, 5), (33, 71)])
def test_bicubic_in_16_bits_is_that_of_pytorch_rounded(factor, size):
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0)).bfloat16()
    expected = F.interpolate(x.float(), scale_factor=factor, mode="bicubic", align_corners=False)
    with torch.no_grad():
        result = bicubic_up(x, factor)
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result.float(), expected, atol=0.05, rtol=0)
    assert (result.float() - expected).square().mean().sqrt() < 0.01
