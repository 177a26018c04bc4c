"""The nine products against PyTorch's own gradients, and when they are used."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ttsr.models import convolution
from ttsr.models.convolution import Conv3x3, weight_gradient


def image_and_gradient(batch: int, channels: int, out_channels: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(batch, channels, height, width, generator=generator)
    return image, torch.randn(batch, out_channels, height, width, generator=generator)


def channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of any length, on any CPU: what is computed does not depend on where it pays."""
    monkeypatch.setattr(convolution, "_LONG_ROW", 0)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")


@pytest.mark.parametrize("shape", [(1, 1, 1, 1, 1), (2, 3, 5, 4, 7), (3, 6, 2, 9, 1), (2, 4, 4, 1, 6)])
@pytest.mark.parametrize("block_elements", [1, 150, 2**18])
def test_nine_products_are_the_gradient_by_the_weight(shape, block_elements, monkeypatch):
    monkeypatch.setattr(convolution, "_BLOCK_ELEMENTS", block_elements)
    image, gradient = (x.double() for x in image_and_gradient(*shape))
    weight = torch.zeros(shape[2], shape[1], 3, 3, dtype=torch.double, requires_grad=True)
    F.conv2d(image, weight, padding=1).backward(gradient)
    for layout in (channels_last, Tensor.contiguous):
        torch.testing.assert_close(weight_gradient(layout(image), layout(gradient)), weight.grad)


def both_gradients(conv: nn.Conv2d, image: Tensor, gradient: Tensor) -> list[Tensor]:
    """By image, weight and bias: as the module has them and as PyTorch's own function has them."""
    leaves = [image.clone().requires_grad_(), *conv.parameters()]
    ours = torch.autograd.grad(conv(leaves[0]), leaves, gradient)
    theirs = torch.autograd.grad(F.conv2d(leaves[0], conv.weight, conv.bias, padding=1), leaves, gradient)
    return [*ours, *theirs]


def test_all_gradients_are_those_of_a_convolution(everywhere, monkeypatch):
    calls = []
    monkeypatch.setattr(convolution, "weight_gradient", lambda *args: calls.append(1) or weight_gradient(*args))
    conv = Conv3x3(6, 4)
    image, gradient = (channels_last(x) for x in image_and_gradient(2, 6, 4, 8, 5))
    found = both_gradients(conv, image, gradient)
    for ours, theirs in zip(found[:3], found[3:], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    assert calls == [1]


def test_a_second_derivative_is_pytorchs_own(everywhere):
    conv = Conv3x3(3, 2)
    image = channels_last(image_and_gradient(2, 3, 2, 5, 4)[0])

    def second(use: nn.Module) -> Tensor:
        x = image.clone().requires_grad_()
        (slope,) = torch.autograd.grad(use(x).square().sum(), x, create_graph=True)
        return torch.autograd.grad(slope.square().sum(), conv.weight)[0]

    plain = nn.Conv2d(3, 2, 3, padding=1)
    plain.weight, plain.bias = conv.weight, conv.bias
    torch.testing.assert_close(second(conv), second(plain), rtol=1e-4, atol=1e-4)


def test_elsewhere_it_is_pytorchs_own(everywhere, monkeypatch):
    def refuse(*_: Tensor) -> Tensor:
        raise AssertionError("not here")

    monkeypatch.setattr(convolution, "weight_gradient", refuse)
    conv = Conv3x3(6, 4)
    image, gradient = image_and_gradient(1, 6, 4, 8, 5)
    both_gradients(conv, image, gradient)  # contiguous
    both_gradients(Conv3x3(6, 4).double(), channels_last(image).double(), gradient.double())
    with torch.autocast("cpu", torch.bfloat16):
        conv(channels_last(image)).sum().backward()
    conv.requires_grad_(False)
    conv(channels_last(image).requires_grad_()).sum().backward()
    with torch.no_grad():
        conv(channels_last(image))


def test_it_is_one_convolution_to_whoever_looks():
    conv, plain = Conv3x3(6, 4), nn.Conv2d(6, 4, 3, padding=1)
    conv.load_state_dict(plain.state_dict())
    image = image_and_gradient(1, 6, 4, 8, 5)[0]
    assert isinstance(conv, nn.Conv2d)
    assert torch.equal(conv(image), plain(image))
