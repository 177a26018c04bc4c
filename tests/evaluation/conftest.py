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
    return TTSR(TTSRConfig(4, (1, 1, 1, 1), (4, 4, 4), bicubic_skip=True))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four groups of small pictures with two, one, three and one references of 29x24; the ground truths are 42x37."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "set"
    folder.mkdir()
    for name, num_references in {"000": 2, "001": 1, "002": 3, "003": 1}.items():
        for number in range(num_references + 1):
            shape = (37, 42, 3) if number == 0 else (24, 29, 3)
            Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(folder / f"{name}_{number}.png")
    return folder
