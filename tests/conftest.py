import socket
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples" / "pairs"


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums round differently with another number of threads, and a forked child can have only one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photo-like pictures: smooth shapes with grain."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(3):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((160, 120), Image.Resampling.BICUBIC)).astype(int)
        grainy = (smooth + rng.integers(-20, 21, smooth.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(grainy).save(folder / f"photo_{number}.png")
    return folder


@pytest.fixture(scope="session")
def aloe() -> NDArray[np.uint8]:
    return np.asarray(Image.open(EXAMPLES / "aloe_hr.png"))


@pytest.fixture(scope="session")
def aloe_ref() -> NDArray[np.uint8]:
    """Another view of what `aloe` shows."""
    return np.asarray(Image.open(EXAMPLES / "aloe_ref.png"))


@pytest.fixture(scope="session")
def leuven() -> NDArray[np.uint8]:
    return np.asarray(Image.open(EXAMPLES / "leuven_hr.png"))


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory, aloe: NDArray[np.uint8]) -> Path:
    """Three frames of 16x12 pixels."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = 12, 16
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(aloe[4 * number :, :64][:48][::4, ::4]))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def test_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two ground truths with a reference each, in CUFED5's layout."""
    folder = tmp_path_factory.mktemp("cufed5")
    rng = np.random.default_rng(3)
    for group in range(2):
        smooth = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((48, 40))
        for number in range(2):
            smooth.save(folder / f"{group:03}_{number}.png")
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-golden", action="store_true", help="write the golden losses anew instead of comparing")
    parser.addoption("--write-screenshots", action="store_true", help="write docs/images/web-*.png, of `ttsr web`")
    parser.addoption("--device", choices=("cpu", "cuda"), default="cpu", help="where tests with a device compute")


@pytest.fixture(scope="session")
def device(pytestconfig: pytest.Config) -> torch.device:
    """The CPU, or with `--device cuda` the GPU."""
    return torch.device(str(pytestconfig.getoption("device")))
