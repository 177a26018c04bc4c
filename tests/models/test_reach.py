"""How far the network looks, against which inputs really change its outputs."""

import pytest
import torch
from torch import Tensor

from ttsr.models.config import SCALE, TTSRConfig
from ttsr.models.extractor import LearnableTextureExtractor
from ttsr.models.reach import EXTRACTOR_PIXELS, synthesis_reach
from ttsr.models.synthesis import SynthesisNetwork

# Of these cells of an LR row the outputs are watched.
FIRST, LAST = 44, 46


def always_open(network: torch.nn.Module) -> None:
    """Weights and biases above zero: no ReLU closes, so that whatever is connected has a gradient."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(0.01)


def farthest(inputs: dict[int, list[Tensor]], outputs: dict[int, Tensor]) -> int:
    """Cells beyond FIRST to LAST - 1 that the outputs depend on, by gradients; both by their scale, (B, C, rows, x)."""
    torch.stack([out[..., scale * FIRST : scale * LAST].sum() for scale, out in outputs.items()]).sum().backward()
    found = 0
    for scale, tensors in inputs.items():
        for tensor in tensors:
            assert tensor.grad is not None
            columns = tensor.grad.abs().amax((0, 1, 2)).nonzero()[:, 0] // scale
            found = max(found, FIRST - int(columns.min()), int(columns.max()) - (LAST - 1))
    return found


def leaf(channels: int, scale: int) -> Tensor:
    return torch.ones(1, channels, scale * 3, scale * 91, dtype=torch.double, requires_grad=True)


@pytest.mark.parametrize("trunk", [0, 2])
@pytest.mark.parametrize("blocks", [(0, 0, 0, 0), (1, 2, 1, 0), (3, 0, 4, 1), (2, 3, 2, 3), (8, 8, 4, 1)])
def test_the_reach_is_that_of_the_gradients(blocks, trunk):
    config = TTSRConfig(2, trunk_channels=trunk, num_blocks=blocks, extractor_channels=(2, 2, 2), bicubic_skip=True)
    network = SynthesisNetwork(config).double()
    always_open(network)
    reach = synthesis_reach(config)
    assert network.reach == reach

    lr, relevance, texture = leaf(3, 1), leaf(3, 1), leaf(2, 1)
    out, _ = network.first(lr, relevance, texture)
    assert farthest({1: [lr, relevance, texture]}, {1: out}) == reach.first

    x1, relevance, texture = leaf(2, 1), leaf(3, 1), leaf(2, 2)
    y1, y2 = network.second(x1, relevance, texture)
    assert farthest({1: [x1, relevance], 2: [texture]}, {1: y1, 2: y2}) == reach.second

    x1, x2, relevance, texture, base = leaf(2, 1), leaf(2, 2), leaf(3, 1), leaf(2, 4), leaf(3, 4)
    out = network.fine(x1, x2, relevance, texture, base if trunk else None)
    read = [texture, base] if trunk else [texture]
    assert farthest({1: [x1, relevance], 2: [x2], 4: read}, {4: out}) == reach.fine


def test_the_extractor_reaches_no_farther_than_it_says():
    extractor = LearnableTextureExtractor((2, 2, 2)).double()
    always_open(extractor)
    for number, cell in ((0, 1), (1, 2), (2, 4)):
        image = torch.rand(1, 3, 12, 4 * 91, dtype=torch.double, requires_grad=True)
        assert farthest({SCALE: [image]}, {cell: extractor(image)[number]}) <= EXTRACTOR_PIXELS // SCALE
