"""Run a command in a process of its own and see what it leaves: exit code, messages, files, processes."""

import atexit
import ctypes
import fnmatch
import gc
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import NoReturn

from faults.commands import Command, fresh_copy, make_workspace

_WITHIN_S = 600.0  # a command that takes longer hangs
_ORPHANS_S = 15.0  # that its processes may outlive it
_SUBREAPER = 36
_ENDED = "ended"

_FIRST = ["upscale", "workspace/lr.png", "--ref", "workspace/ref.png", "-o", "first.png", "--maps", "first"]
_FIRST += ["--model", "workspace/model.safetensors", "--device", "cpu", "--threads", "1"]

Begin = Callable[[Path, int, Sequence[str]], int]
"""Starts a command by its folder, the descriptor that it says messages to, and its arguments, in a process group of its
own; returns the process's id."""


@dataclass
class Left:
    """What a command left.

    Attributes:
        code: its exit code; -N where signal N ended it.
        seconds: that it took; of a fork without the end of Python, which takes long where all pages become copies.
        errors: what it printed to stderr.
        files: the SHA-256 of each file that was not there before, by its path in the folder.
        faults: what must not be, a sentence each.
    """

    code: int
    seconds: float
    errors: str
    files: dict[str, str]
    faults: list[str] = field(default_factory=list)


def adopt_orphans() -> None:
    """Processes that lose their parent become this process's children, so that they can be waited for."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def run(
    command: Command,
    folder: Path,
    begin: Begin,
    disturb: Callable[[int], None] = lambda _: None,
) -> Left:
    """Run a command in `folder`.

    Args:
        command: to run.
        folder: a fresh copy of the workspace.
        begin: starts a command.
        disturb: called with the id of its process.
    """
    before = set(_files(folder))
    # A pipe, which no limit on files holds for, and which takes more than a command may say.
    messages, writing = os.pipe()
    began, began_at = time.monotonic(), time.time()
    process = begin(folder, writing, command.arguments)
    os.close(writing)
    disturb(process)
    faults: list[str] = []
    code = _wait(process, began, faults)
    ended = folder.with_name(_ENDED)
    seconds = ended.stat().st_mtime - began_at if ended.exists() else time.monotonic() - began
    _wait_for_orphans(process, faults)
    with open(messages, "rb", buffering=0) as reading:
        os.set_blocking(messages, False)
        text = (reading.read() or b"").decode("utf-8", "replace")
    faults += [f"{word} on stderr" for word in ("Traceback", "Exception ignored", "leaked") if word in text]
    found = {name: digest for name, digest in _files(folder).items() if name not in before}
    faults += [f"{name} stays behind" for name in found if ".ttsr-" in name or name.endswith(".lock")]
    return Left(code, seconds, text, found, faults)


def run_in_copy(
    command: Command, workspace: Path, begin: Begin, disturb: Callable[[int], None] = lambda _: None
) -> Left:
    """`run` in a copy of the workspace, which is deleted."""
    place = Path(tempfile.mkdtemp(dir=workspace.parent))
    left = run(command, fresh_copy(workspace, place / "run"), begin, disturb)
    shutil.rmtree(place, ignore_errors=True)
    return left


def check_files(left: Left, whole: Left, command: Command) -> None:
    """Note each file of a disturbed run that the undisturbed one does not leave, or leaves with other content."""
    for name, digest in left.files.items():
        if any(fnmatch.fnmatch(name, pattern) for pattern in command.kept) or ".ttsr-" in name:
            continue
        if name not in whole.files:
            left.faults.append(f"{name} stays behind")
        elif digest != whole.files[name] and not any(fnmatch.fnmatch(name, p) for p in command.changing):
            left.faults.append(f"{name} is not whole")
    missing = [
        name
        for name in whole.files
        if name not in left.files and not any(fnmatch.fnmatch(name, pattern) for pattern in command.renamed)
    ]
    if left.code == 0 and missing:
        left.faults.append(f"exit code 0 without {', '.join(sorted(missing))}")


def forked(folder: Path, messages: int, words: Sequence[str]) -> int:
    """Start a command in a fork of this process, which has imported all that it needs."""
    sys.stdout.flush()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # Python has work of its own at a fork
    child = os.fork()
    if child:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        with suppress(OSError):  # it does the same, whoever is first
            os.setpgid(child, child)
        return child
    with suppress(OSError):
        os.setpgid(0, 0)
    for number in signals:  # until the first line of the command
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.chdir(folder)
    os.environ["TTSR_CACHE"] = str(folder.with_name(f"{folder.name}.cache"))
    null = os.open(os.devnull, os.O_RDWR)
    for stream, descriptor in ((0, null), (1, null), (2, messages)):
        os.dup2(descriptor, stream)
    sys.stdout, sys.stderr = (open(stream, "w", closefd=False) for stream in (1, 2))  # noqa: SIM115
    raise Child(words)


class Child(BaseException):
    """Leaves all that was being done when it forked, so that the child begins and ends as a program does."""

    def __init__(self, arguments: Sequence[str]) -> None:
        super().__init__(arguments)
        self.arguments = arguments


@contextmanager
def prepared() -> Iterator[Path]:
    """The workspace, when all is imported and measured that commands import and measure, so that forks need not."""
    import accelerate  # noqa: F401
    import av  # noqa: F401
    import rasterio  # noqa: F401
    import torch
    import torch.utils.tensorboard

    import ttsr.cli
    import ttsr.evaluation.scoring
    import ttsr.inference.upscaler
    import ttsr.retrieval.finding
    import ttsr.training.loop

    torch.set_num_threads(1)
    adopt_orphans()
    place = Path(tempfile.mkdtemp())
    try:
        workspace = place / "workspace"
        workspace.mkdir()
        make_workspace(workspace)
        before = Path.cwd()
        os.chdir(workspace.parent)
        with redirect_stdout(None):
            ttsr.cli.main(_FIRST)
        os.chdir(before)
        gc.freeze()  # what forks do not look through for garbage, they need no copies of
        yield workspace
    except Child:  # whose parent still needs it
        raise
    except BaseException:
        shutil.rmtree(place)
        raise
    shutil.rmtree(place)


def run_main(main: Callable[[], int]) -> NoReturn:
    """Run a program of this package, and in the forks of it what it has forked for."""
    try:
        code = main()
    except Child as child:
        sys.argv = ["ttsr", *child.arguments]
    else:
        sys.exit(code)
    from ttsr.__main__ import run as ttsr

    atexit.register(Path.cwd().with_name(_ENDED).touch)
    ttsr()


def is_running(process: int) -> bool:
    """Whether a command that was begun has not ended."""
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def _wait(process: int, began: float, faults: list[str]) -> int:
    while time.monotonic() - began < _WITHIN_S:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    faults.append(f"it does not end within {_WITHIN_S:.0f} s")
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _wait_for_orphans(group: int, faults: list[str]) -> None:
    """Until no process of the group is left."""
    until = time.monotonic() + _ORPHANS_S
    while True:
        with suppress(ChildProcessError):
            os.waitpid(-group, os.WNOHANG)
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        if time.monotonic() > until:
            faults.append("a process of it stays alive")
            os.killpg(group, signal.SIGKILL)
            return
        time.sleep(0.005)


def _files(folder: Path) -> dict[str, str]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() or path.name.startswith(".ttsr-")]
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() if path.is_file() else "" for path in paths
    }
