"""A small network, and checkpoints of it in every layout."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.layouts import LAYOUTS
from ttsr.weights.saving import save

FILES = {"ttsr": "small.safetensors", "authors": "small.pt", "mmagic": "small.pth"}


@pytest.fixture(scope="session")
def small() -> TTSR:
    """A network whose widths and depths all differ, so that none can be mistaken for another."""
    torch.manual_seed(0)
    return TTSR(TTSRConfig(channels=6, num_blocks=(2, 1, 3, 2), extractor_channels=(3, 5, 7))).eval()


@pytest.fixture(params=FILES)
def checkpoint(request: pytest.FixtureRequest, small: TTSR, tmp_path: Path) -> Path:
    """The small network's file, in each layout in turn."""
    path = tmp_path / FILES[request.param]
    save(small, path, layout=LAYOUTS[request.param])
    return path


@pytest.fixture(scope="session")
def assert_same_weights() -> Callable[..., None]:
    """Fail unless two networks have the same sizes and, to a tolerance, the same parameters."""

    def compare(model: TTSR, expected: TTSR, tolerance: float = 0) -> None:
        assert model.config == expected.config
        state = model.state_dict()
        assert state.keys() == expected.state_dict().keys()
        for key, value in expected.state_dict().items():
            torch.testing.assert_close(state[key], value, rtol=tolerance, atol=tolerance)

    return compare
