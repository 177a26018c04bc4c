import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from typing import NamedTuple

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples" / "pairs"
WITHIN_S = 300


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


class Command:
    """A command that `forked_commands.py` has started; much as `subprocess.Popen`.

    Attributes:
        pid: of its process, which is a session of its own.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._answers = connection.makefile("rb", buffering=0)  # so that nothing that was told waits in here
        self.pid = int(self._answers.readline())

    def wait(self) -> int:
        """The exit code, negative for a signal. A command that takes too long is killed."""
        alarm = Timer(WITHIN_S, os.kill, (self.pid, 9))
        alarm.start()
        try:
            return int(self._answers.readline())
        finally:
            alarm.cancel()
            self._answers.close()
            self._connection.close()

    @property
    def has_ended(self) -> bool:
        """Whether the exit code is there already."""
        self._connection.setblocking(False)
        try:
            return bool(self._connection.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False
        finally:
            self._connection.setblocking(True)


class Forking(NamedTuple):
    """Where `forked_commands.py` listens, and an executable that stands for `python` and has it run the command."""

    address: str
    python: str

    @property
    def environment(self) -> dict[str, str]:
        """For launchers that start processes. Those find out for themselves that there is no GPU."""
        own = {"FORKED_COMMANDS": self.address, "FORKED_PYTHON": self.python, "PYTHON_EXEC": self.python}
        return os.environ | own | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}

    def start(
        self,
        *arguments: str | Path,
        stdout: int = subprocess.DEVNULL,
        stderr: int = subprocess.DEVNULL,
        environment: dict[str, str] | None = None,
    ) -> Command:
        """Start what `python ARGUMENTS` would, in this folder; the streams are file descriptors."""
        command = {"arguments": [*map(str, arguments)], "folder": os.getcwd(), "python": self.python}
        command |= {"environment": self.environment | (environment or {})}
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.address)
        with open(os.devnull, "r+") as null:
            streams = [null.fileno() if stream == subprocess.DEVNULL else stream for stream in (-3, stdout, stderr)]
            socket.send_fds(connection, [json.dumps(command).encode() + b"\n"], streams)
            return Command(connection)

    def run(
        self, *arguments: str | Path, environment: dict[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run what `python ARGUMENTS` would until it ends, and take what it prints."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            command = self.start(*arguments, stdout=out.fileno(), stderr=err.fileno(), environment=environment)
            code = command.wait()
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(arguments, code, out.read(), err.read())


@pytest.fixture(scope="session")
def forking() -> Iterator[Forking]:
    # The path of a socket has some 100 bytes at most.
    with tempfile.TemporaryDirectory(prefix="ttsr") as folder:
        address, python = (str(Path(folder) / name) for name in ("socket", "python"))
        text = Path(__file__).with_name("forked_python.py").read_text("utf-8")
        Path(python).write_text(f"#!{sys.executable} -IS\n{text}", "utf-8")
        Path(python).chmod(0o755)
        program = [sys.executable, str(Path(__file__).with_name("forked_commands.py")), address]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        with subprocess.Popen(
            program, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            yield Forking(address, python)
            process.kill()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-golden", action="store_true", help="write the golden losses anew instead of comparing")
    parser.addoption("--write-screenshots", action="store_true", help="write docs/images/web-*.png, of `ttsr web`")
    parser.addoption("--device", choices=("cpu", "cuda"), default="cpu", help="where tests with a device compute")


@pytest.fixture(scope="session")
def device(pytestconfig: pytest.Config) -> torch.device:
    """The CPU, or with `--device cuda` the GPU."""
    return torch.device(str(pytestconfig.getoption("device")))
