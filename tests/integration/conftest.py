"""Commands on several processes, without the seconds that each needs to import PyTorch."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer
from typing import NamedTuple

import pytest

WITHIN_S = 300


class Launched(NamedTuple):
    """What the processes of a run left: exit codes by rank, and what all printed."""

    codes: list[int]
    stdout: str
    stderr: str


Launch = Callable[..., Launched]


@pytest.fixture(scope="session")
def forking() -> Iterator["subprocess.Popen[str]"]:
    program = Path(__file__).with_name("forked_commands.py")
    # The processes find out for themselves that there is no GPU.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, program], env=environment, stdin=pipe, stdout=pipe, text=True) as process:
        yield process


@pytest.fixture
def launch(forking: "subprocess.Popen[str]", free_port: int, tmp_path_factory: pytest.TempPathFactory) -> Launch:
    """`launch(2, "train", "debug")` runs a command as a launcher does: on processes that know their ranks."""

    def run(count: int, *arguments: str | Path) -> Launched:
        folder = tmp_path_factory.mktemp("launched")
        outputs, errors = ([folder / f"{name}{rank}" for rank in range(count)] for name in ("out", "err"))
        world = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
        world |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port)}
        commands = [
            {
                "arguments": [*map(str, arguments)],
                "environment": world | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
                "output": str(outputs[rank]),
                "errors": str(errors[rank]),
            }
            for rank in range(count)
        ]
        assert forking.stdin is not None and forking.stdout is not None
        alarm = Timer(WITHIN_S, forking.kill)
        alarm.start()
        forking.stdin.write(json.dumps(commands) + "\n")
        forking.stdin.flush()
        answer = forking.stdout.readline()
        alarm.cancel()
        out, err = ("".join(file.read_text() for file in files if file.exists()) for files in (outputs, errors))
        assert answer, f"the commands took too long: {out} {err}"
        return Launched(json.loads(answer), out, err)

    return run
