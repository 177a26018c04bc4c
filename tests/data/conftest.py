"""A small data set in CUFED's layout."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def cufed(tmp_path: Path) -> Path:
    """Six pairs: inputs of 48x44 pixels (width x height), references of 40x40. References 2 and 4 are JPEGs."""
    folder = tmp_path / "cufed"
    rng = np.random.default_rng(0)
    for side in ("input", "ref"):
        (folder / side).mkdir(parents=True)
    for number in range(6):
        Image.fromarray(rng.integers(1, 256, (44, 48, 3), np.uint8)).save(folder / "input" / f"{number}.png")
        suffix = "jpg" if number in (2, 4) else "png"
        reference = Image.fromarray(rng.integers(40, 256, (40, 40, 3), np.uint8))
        reference.save(folder / "ref" / f"{number}.{suffix}", quality=95)
    return folder
