"""Networks with a trunk and narrow stages are written and read like any other."""

import torch

from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.loading import load
from ttsr.weights.saving import read_metadata, save


def test_sizes_come_back_from_shapes_and_metadata(tmp_path):
    config = TTSRConfig(6, (3, 1, 2, 0), (4, 6, 8), 5, 4, 10, bicubic_skip=True, refinement_radius=1)
    network = TTSR(config).eval()
    file = tmp_path / "trunk.safetensors"
    save(network, file)
    assert read_metadata(file).config == config
    again = load(file)
    assert again.config == config
    lr, ref = torch.rand(1, 3, 8, 6), torch.rand(1, 3, 16, 16)
    assert torch.equal(network(lr, ref).sr, again(lr, ref).sr)
