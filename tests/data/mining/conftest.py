from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples" / "pairs"


@pytest.fixture(scope="session")
def aloe() -> NDArray[np.uint8]:
    return np.asarray(Image.open(EXAMPLES / "aloe_hr.png"))


@pytest.fixture(scope="session")
def aloe_ref() -> NDArray[np.uint8]:
    return np.asarray(Image.open(EXAMPLES / "aloe_ref.png"))


@pytest.fixture(scope="session")
def leuven() -> NDArray[np.uint8]:
    return np.asarray(Image.open(EXAMPLES / "leuven_hr.png"))
