"""The counted multiply-adds against those of the convolutions that really run."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from ttsr.models.config import TTSRConfig
from ttsr.models.cost import count
from ttsr.models.ttsr import TTSR


@pytest.mark.parametrize("num_references", [0, 1])
@pytest.mark.parametrize("additions", [{}, {"channels_2x": 6, "channels_4x": 4, "trunk_channels": 12}])
def test_counts_what_the_convolutions_do(num_references, additions):
    """Under gradients, where each convolution is one call; the 1x1s on the small grids and the last are left out."""
    sizes = {"channels": 8, "num_blocks": (1, 2, 1, 2), "extractor_channels": (4, 6, 10), "bicubic_skip": True}
    config = TTSRConfig(**sizes, **additions)
    model = TTSR(config)
    done = {"extractor": 0, "synthesis": 0}

    def note(part: str, conv: nn.Conv2d, _: object, output: Tensor) -> None:
        done[part] += output.numel() * conv.weight[0].numel()

    for part in done:
        for module in model.get_submodule(part).modules():
            if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
                module.register_forward_hook(partial(note, part))
    model(torch.zeros(1, 3, 6, 5), [torch.zeros(1, 3, 16, 12)] * num_references)
    cost = count(config, (6, 5), [(4, 3)] * num_references)
    assert cost.references + cost.queries == pytest.approx(done["extractor"])
    assert cost.first + cost.second + cost.fine == pytest.approx(done["synthesis"], rel=1e-9)
    assert cost.matching == num_references * 30 * 12 * 10
