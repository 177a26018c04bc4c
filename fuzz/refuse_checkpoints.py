"""Load every hostile checkpoint in one process, and print how each was refused, the CPU time, and the memory.

    python fuzz/refuse_checkpoints.py [--json]

The address space may grow by 512 MB; a case that takes more ends in a MemoryError, and shows as not refused. So does
one after which code of the file has run.
"""

import json
import resource
import sys
import tempfile
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

from hostile_checkpoints import hostile_checkpoints, saved, small_network

from ttsr.errors import WeightsError
from ttsr.weights.loading import load

_ALLOWANCE = 2**29
_MOST_SECONDS = 120  # of the CPU, for all cases: a hang ends the process


@dataclass(frozen=True)
class Outcome:
    """What came of a case.

    Attributes:
        refusal: the error's text after the file's name, or what else happened.
        refused: by an error of ours, on one line, and before code ran.
        seconds: of the CPU.
        bytes: of memory that it took beyond what the process had.
    """

    case: str
    refusal: str
    refused: bool
    seconds: float
    bytes: int


def try_all() -> list[Outcome]:
    """What comes of each case, in order."""
    with tempfile.TemporaryDirectory() as folder:
        marker, file = Path(folder) / "marker", Path(folder) / "hostile.pth"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a ZIP with two members of one name
            cases = list(hostile_checkpoints(marker))
        file.write_bytes(saved({"not a network": small_network()}))
        _try("warm up", file, marker)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + _ALLOWANCE, -1))
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + _MOST_SECONDS, -1))
        outcomes = []
        for case, content in cases:
            file.write_bytes(content)
            outcomes.append(_try(case, file, marker))
        return outcomes


def _try(case: str, file: Path, marker: Path) -> Outcome:
    Path("/proc/self/clear_refs").write_text("5")  # Linux then measures the largest memory anew
    before, start = _memory("VmRSS"), time.process_time()
    try:
        load(file)
        text, is_ours = "loaded", False
    except WeightsError as error:
        text, is_ours = str(error).removeprefix(f"{file}: "), str(error).isprintable()
    except Exception as error:
        text, is_ours = f"{type(error).__name__}: {error}", False
    if marker.exists():
        text, is_ours = "ran code", False
        marker.unlink()
    return Outcome(case, text, is_ours, time.process_time() - start, _memory("VmHWM") - before)


def _memory(field: str) -> int:
    """A figure of this process, in bytes: what it has, or the most that it had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) * 1024


if __name__ == "__main__":
    outcomes = try_all()
    if "--json" in sys.argv[1:]:
        print(json.dumps([asdict(outcome) for outcome in outcomes]))
    else:
        for outcome in outcomes:
            mark = "refused" if outcome.refused else "NOT REFUSED"
            numbers = f"{outcome.seconds:5.2f} s {outcome.bytes / 2**20:5.0f} MB"
            print(f"{mark:11} {numbers}  {outcome.case:44} {outcome.refusal[:120]}")
        print(
            f"{len(outcomes)} cases, {sum(outcome.refused for outcome in outcomes)} refused, at most "
            f"{max(outcome.seconds for outcome in outcomes):.1f} s of the CPU and "
            f"{max(outcome.bytes for outcome in outcomes) / 2**20:.0f} MB"
        )
