"""Commands as launchers start them: in several processes that know their ranks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest


class Launched(NamedTuple):
    """What the processes of a run left: exit codes by rank, and what all printed."""

    codes: list[int]
    stdout: str
    stderr: str


Launch = Callable[..., Launched]


@pytest.fixture
def launch(forking: Any, free_port: int, tmp_path_factory: pytest.TempPathFactory) -> Launch:
    """`launch(2, "train", "debug")` runs a command as a launcher does: on processes that know their ranks."""

    def run(count: int, *arguments: str | Path) -> Launched:
        folder = tmp_path_factory.mktemp("launched")
        world = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
        world |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port)}
        with (folder / "out").open("a") as out, (folder / "err").open("a") as err:
            streams = {"stdout": out.fileno(), "stderr": err.fileno()}
            ranks = [{"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]
            commands = [forking.start("-m", "ttsr", *arguments, **streams, environment=world | rank) for rank in ranks]
            codes = [command.wait() for command in commands]
        return Launched(codes, (folder / "out").read_text(), (folder / "err").read_text())

    return run
