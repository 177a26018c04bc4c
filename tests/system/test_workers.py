import operator
import os
import signal
from collections.abc import Iterator

import pytest

from ttsr.errors import DataError
from ttsr.system.workers import Workers


@pytest.mark.parametrize("count", [1, 2])
def test_results_come_in_order_and_tasks_are_taken_as_needed(count: int) -> None:
    taken: list[int] = []

    def tasks() -> Iterator[int]:
        for number in range(200):
            taken.append(number)
            yield number

    with Workers(count) as workers:
        results = workers.in_order(operator.neg, tasks())
        assert next(results) == 0
        assert len(taken) < 20
        assert list(results) == [-number for number in range(1, 200)]


def test_processes_compute_with_one_thread_and_this_one_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"]
    with Workers(2) as workers:
        assert list(workers.in_order(os.getenv, names)) == ["1", "1"]
    assert [os.getenv(name) for name in names] == ["7", None]


def test_a_killed_process_is_one_line() -> None:
    with Workers(2) as workers, pytest.raises(DataError, match="fewer workers"):
        list(workers.in_order(signal.raise_signal, [signal.SIGKILL]))


def test_an_error_of_the_work_comes_through() -> None:
    with Workers(2) as workers, pytest.raises(ZeroDivisionError):
        list(workers.in_order(divided, [1, 0]))


divided = (1).__truediv__
