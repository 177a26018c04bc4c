"""Work shared out among processes, its results in the order of the work."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from ttsr.errors import DataError

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

Task = TypeVar("Task")
Result = TypeVar("Result")


class Workers:
    """`count` processes of one thread each; with a count of 1, this process itself.

    Used as a context manager: leaving it, by an error or Ctrl-C too, stops what has not begun and ends the processes.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "Workers":
        if self.count > 1:
            # Not forked: this process may hold threads, of a bar or of BLAS.
            self._pool = ProcessPoolExecutor(self.count, multiprocessing.get_context("spawn"), _begin)
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def in_order(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Generator[Result, None, None]:
        """The function's results, in the order of the tasks. Only a few tasks are begun ahead of what is taken.

        Raises:
            DataError: a process was killed, most often for want of memory.
        """
        if self._pool is None:
            yield from map(function, tasks)
            return
        waiting: deque[Future[Result]] = deque()
        try:
            with _one_thread_each():
                for task in tasks:
                    waiting.append(self._pool.submit(function, task))
                    if len(waiting) > 4 * self.count:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
        except BrokenProcessPool:
            raise DataError("a worker process was killed, likely for want of memory: take fewer --workers") from None
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started within compute with one thread: libraries read these variables when they are loaded."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _begin() -> None:
    """Ctrl-C is the parent's to answer; and if the parent is killed, leave too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def leave_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=leave_with_parent, daemon=True).start()
