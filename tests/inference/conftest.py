import pytest
import torch

from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR


@pytest.fixture(scope="session")
def tiny_model() -> TTSR:
    """A TTSR of the full structure, so small that it computes in hundredths of a second; random weights."""
    torch.manual_seed(0)
    return TTSR(TTSRConfig(channels=8, num_blocks=(1, 1, 1, 1), extractor_channels=(8, 8, 16))).eval()
