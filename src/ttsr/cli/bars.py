"""A progress bar on stderr that shows itself only for work that takes a while."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

_PATIENCE_S = 1.0


class LateBar:
    """Call it with the fraction done; a bar appears after a second, and only on a terminal.

    Used as a context manager it takes the bar away at the end.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._start = time.perf_counter()
        self._bar: Progress | None = None

    def __enter__(self) -> "LateBar":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: float) -> None:
        if self._bar is None:
            if time.perf_counter() - self._start < _PATIENCE_S:
                return
            self._bar = _bar()
            self._bar.add_task(self._label, total=1.0)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=done)


def _bar() -> Progress:
    console = Console(stderr=True)
    # Without markup: a file's name may hold brackets.
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
