"""Running tests on a mutant in a process forked for it.

The parent has imported PyTorch and whatever else the tests need, but no module of the package: a process of its own
for each mutant would spend most of its time on that. Processes that the tests start import the mutant too.
"""

import contextlib
import importlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path

import pytest

from mutation.mutant_import import SITE, install
from mutation.mutants import Mutant

_OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist")
# A mutant may take so many times the processor time of the tests, and so many seconds more, and memory beyond them.
_TIMES, _SECONDS, _BYTES = 4, 20, 8 * 2**30
# One that waits takes no processor time. Generous, as other programs may keep the processor busy.
_WAITING = 10
_DOES_NOT_LOAD = 77


class Outcome(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    """A test failed."""
    OUT_OF_TIME = "out of time"
    """The tests did not end: killed too."""
    DOES_NOT_LOAD = "does not load"
    """The module cannot be imported: no mistake that a test would have to find."""
    SURVIVED = "survived"


class TestsFail(Exception):
    """The tests do not pass without a mutant."""

    __test__ = False


def measure(tests: Sequence[str], package: str) -> float:
    """Run tests on the package as it is, import what they need but the package, and return their processor time.

    Raises:
        TestsFail: they do not pass.
    """
    with tempfile.TemporaryDirectory() as folder:
        names, output = Path(folder) / "names", Path(folder) / "output"

        def run() -> int:
            code = pytest.main([*_OPTIONS, *tests])
            names.write_text(json.dumps(list(sys.modules)))
            return code

        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        status = _wait(_fork(run, output), 3600)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if status != 0:
            raise TestsFail(f"{' '.join(tests)}: do not pass as they are\n{output.read_text()[-2000:]}")
        for name in json.loads(names.read_text()):
            if name.partition(".")[0] != package and not name.startswith("test"):
                _import_if_possible(name)
        assert package not in sys.modules  # or mutants of it would not be imported
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def try_mutant(mutant: Mutant, tests: Sequence[str], seconds: float) -> Outcome:
    """Run tests on a mutant; `seconds` is the processor time that they take without it."""
    limit = int(_TIMES * seconds + _SECONDS)

    def run() -> int:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
        resource.setrlimit(resource.RLIMIT_DATA, (_BYTES, _BYTES))
        os.environ["PYTHONPATH"] = os.pathsep.join([folder, *filter(None, [os.environ.get("PYTHONPATH")])])
        install(mutant.module, mutant.source)
        try:
            importlib.import_module(mutant.module)
        except Exception:
            return _DOES_NOT_LOAD
        return pytest.main([*_OPTIONS, *tests])

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "sitecustomize.py").write_text(SITE.format(module=mutant.module, source=mutant.source))
        status = _wait(_fork(run, Path(os.devnull)), _WAITING * limit)
    if status is None or status == -signal.SIGXCPU:
        return Outcome.OUT_OF_TIME
    return {0: Outcome.SURVIVED, _DOES_NOT_LOAD: Outcome.DOES_NOT_LOAD}.get(status, Outcome.KILLED)


def _import_if_possible(name: str) -> None:
    with contextlib.suppress(Exception):  # some modules are made by others, and have no file of their own
        importlib.import_module(name)


def _fork(run: Callable[[], int], output: Path) -> int:
    """Run in a process group of its own; returns its id."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.setsid()
        for stream in (1, 2):
            os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT, 0o600), stream)
        code = int(run())
    finally:
        sys.stdout.flush()
        os._exit(code)


def _wait(child: int, seconds: float) -> int | None:
    """The exit code, or minus the signal that ended it; None if it had to be stopped."""
    end = time.monotonic() + seconds
    status = None
    while status is None and time.monotonic() < end:
        ended, code = os.waitpid(child, os.WNOHANG)
        if ended:
            status = os.waitstatus_to_exitcode(code)
        else:
            time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # itself, or what it started and left
    if status is None:
        os.waitpid(child, 0)
    return status
