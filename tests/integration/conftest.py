"""Commands in processes of their own, without the seconds that each needs to import PyTorch."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer
from typing import NamedTuple

import pytest

WITHIN_S = 300


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


class Launched(NamedTuple):
    """What the processes of a run left: exit codes by rank, and what all printed."""

    codes: list[int]
    stdout: str
    stderr: str


Launch = Callable[..., Launched]


@pytest.fixture
def launch(forking: Forking, free_port: int, tmp_path_factory: pytest.TempPathFactory) -> Launch:
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
