import os
import subprocess
import sys

import pytest

from ttsr.errors import UserError
from ttsr.system.shared_work import SharedWork

# Rank 1 is slow with its first piece: the other takes more of them.
PROGRAM = """
import sys, time
from ttsr.system.shared_work import SharedWork
work = SharedWork()
work.meet()
mine = []
for item in work.take("abcdefghij"):
    mine.append(item)
    time.sleep(1.0 if work.rank == 1 else 0.01)
print("".join(mine), work.finish({"done": len(mine), "rank": work.rank}), flush=True)
"""


@pytest.fixture
def environment(free_port: int) -> dict[str, str]:
    return os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port)}


def run(program: str, environment: dict[str, str]) -> list[subprocess.Popen[str]]:
    return [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env=environment | {"RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]


def test_each_piece_is_taken_once_by_whoever_is_free(environment: dict[str, str]) -> None:
    printed = []
    for process in run(PROGRAM, environment):
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        printed.append(out.split(" ", 1))
    pieces = [pieces for pieces, _ in printed]
    assert sorted("".join(pieces)) == list("abcdefghij")
    assert len(pieces[0]) > len(pieces[1])
    assert [sums.strip() for _, sums in printed] == ["{'done': 10, 'rank': 1}"] * 2


def test_one_that_stops_is_noticed(environment: dict[str, str]) -> None:
    program = """
import os
from ttsr.errors import UserError
from ttsr.system.shared_work import SharedWork
work = SharedWork()
if work.rank == 1:
    print(work.stop("a bad file"), work.stop("a bad file"))
else:
    try:
        work.meet()
    except UserError as error:
        print(error)
    print(work.finish({"done": 3}))
"""
    processes = run(program, environment)
    out = [process.communicate(timeout=120)[0] for process in processes]
    assert out == ["another process of the run has stopped\n{'done': 3}\n", "True False\n"]


def test_a_process_on_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    work = SharedWork()
    work.meet()
    assert (work.count, work.is_main, work.device("auto")) == (1, True, "auto")
    assert list(work.take([3, 1, 2])) == [3, 1, 2]
    assert work.finish({"done": 3, "failed": 0}) == {"done": 3, "failed": 0}


def test_processes_without_a_place_to_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(UserError, match=r"the 2 processes of the run do not meet .*MASTER_ADDR"):
        SharedWork()


def test_one_that_fails_later_for_the_same_reason_knows_it(environment: dict[str, str]) -> None:
    """Also of the process that serves the counts, and has no more to do."""
    program = """
import time
from ttsr.system.shared_work import SharedWork
work = SharedWork()
time.sleep(work.rank)
print(work.stop("a bad file"))
"""
    assert [process.communicate(timeout=120)[0] for process in run(program, environment)] == ["True\n", "False\n"]
