from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR


@pytest.fixture(scope="session")
def model() -> TTSR:
    torch.manual_seed(0)
    return TTSR(TTSRConfig(4, (1, 1, 1, 1), (4, 4, 4), bicubic_skip=True)).eval()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three groups of small pictures with five, one and two references of 24x20; the ground truths are 32x28."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("set")
    for name, num_references in {"000": 5, "001": 1, "002": 2}.items():
        for number in range(num_references + 1):
            shape = (28, 32, 3) if number == 0 else (20, 24, 3)
            Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(folder / f"{name}_{number}.png")
    return folder
