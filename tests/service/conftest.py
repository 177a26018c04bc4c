import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx
import numpy as np
import pytest
import torch
from PIL import Image

from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.saving import save

ENDED = ("done", "failed", "cancelled")


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of the full structure, so small that a picture takes hundredths of a second; random weights."""
    torch.manual_seed(0)
    model = TTSR(TTSRConfig(channels=8, num_blocks=(1, 1, 1, 1), extractor_channels=(8, 8, 16)))
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save(model, path)
    return path


def _png(width: int, height: int, seed: int = 0) -> bytes:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    grainy = (smooth + rng.integers(-20, 21, smooth.shape)).clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(grainy).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def png() -> Callable[..., bytes]:
    """Makes a PNG of (width, height, seed): smooth colours with grain."""
    return _png


Form = list[tuple[str, Any]]


@pytest.fixture(scope="session")
def small_form() -> Callable[..., Form]:
    """Makes the files of a job that is done at once, from a seed."""

    def make(seed: int = 0) -> Form:
        return [("lr", ("small.png", _png(24, 20, seed))), ("reference", ("sharp.png", _png(48, 40, seed + 1)))]

    return make


@pytest.fixture(scope="session")
def long_form() -> Form:
    """The files of a job that takes seconds: of the exact search."""
    return [("lr", ("long.png", _png(160, 120))), ("reference", ("sharp.png", _png(600, 600)))]


class Clients(Protocol):
    """`httpx.Client`, and Starlette's client for tests."""

    def get(self, url: str) -> httpx.Response: ...


@pytest.fixture(scope="session")
def until() -> Callable[..., dict[str, Any]]:
    """Waits until a client's job is in one of the states, by default one that it ends in, and gives the job."""

    def wait(client: Clients, job: str, *states: str) -> dict[str, Any]:
        end, answer = time.monotonic() + 120, {}
        while time.monotonic() < end:
            answer = client.get(f"/v1/jobs/{job}").json()
            if answer["state"] in (states or ENDED):
                return answer
            time.sleep(0.02)
        raise AssertionError(f"still {answer}")

    return wait


@dataclass
class Server:
    """A process of `ttsr serve`.

    Attributes:
        address: where it listens.
        folder: its temporary files are in here.
        process: itself.
        texts: of all answers so far.
    """

    address: str
    folder: Path
    process: "subprocess.Popen[str]"
    texts: list[str] = field(default_factory=list)

    @contextmanager
    def client(self, address: str = "10.1.0.1", **headers: str) -> Iterator[httpx.Client]:
        """A client that a proxy says is at the address."""

        def remember(response: httpx.Response) -> None:
            if "json" in response.headers.get("content-type", "") or response.is_error:
                response.read()
                self.texts.append(response.text)
            self.texts.append(str(response.headers))

        headers = {"X-Forwarded-For": address, **headers}
        hooks = {"response": [remember]}
        with httpx.Client(base_url=self.address, headers=headers, timeout=60, event_hooks=hooks) as client:
            yield client


@pytest.fixture(scope="session")
def serving() -> Callable[..., AbstractContextManager[Server]]:
    """Starts a server in a folder with arguments."""
    return running_server


@contextmanager
def running_server(
    folder: Path, *arguments: str, prepare: Callable[[], None] = lambda: None, **variables: str
) -> Iterator[Server]:
    """`ttsr serve` with these arguments, until it is stopped; `prepare` is called in its process before it starts."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(folder), "OMP_NUM_THREADS": "1", **variables}
    environment.pop("TTSR_TOKEN", None) if "TTSR_TOKEN" not in variables else None
    command = [sys.executable, "-m", "ttsr", "serve", "--port", "0", "--device", "cpu", "--threads", "1", *arguments]

    def prepared() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs inherit SIGINT ignored
        prepare()

    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=(folder / "log").open("w"),
        text=True,
        preexec_fn=prepared,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ttsr listens at http://"), (folder / "log").read_text()
        server = Server(line.split()[-1], folder, process)
        yield server
        places = folder, Path(__file__).parents[2], Path.home(), Path(sys.prefix)
        told = [text for text in server.texts for place in places if str(place) in text or "Traceback" in text]
        assert not told, told[0]
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(scope="session")
def server(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for many tests, with narrow limits. A proxy tells it the addresses of its clients."""
    limits = "--queue 2 --jobs-per-client 2 --max-upload 4MB --max-request 9MB --max-refs 2 --max-seconds 600"
    pixels = "--max-pixels 0.2 --max-reference-pixels 1.2 --proxy 127.0.0.1 --instance a"
    arguments = [*limits.split(), *pixels.split(), "--model", str(tiny_weights)]
    with running_server(tmp_path_factory.mktemp("server"), *arguments) as running:
        (private,) = (path for path in running.folder.iterdir() if path.is_dir())
        assert private.stat().st_mode & 0o777 == 0o700
        yield running
    assert [path.name for path in running.folder.iterdir()] == ["log"]  # nothing is left behind
