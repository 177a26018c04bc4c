"""Progress on stderr: a bar, for work that takes a while."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress as RichProgress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ttsr.progress import Progress
from ttsr.system.plain_text import plain

_PATIENCE_S = 1.0


@contextmanager
def progress_bar(label: str, *, shown: bool = True) -> Iterator[Progress]:
    """A `Progress` drawn on stderr: a bar with the label, the stage and the time left, removed at the end.

    It appears with the first update after one second, and only on a terminal.

    Args:
        label: what is being done, for people to read.
        shown: whether to draw at all; of several processes one should.
    """
    start = time.perf_counter()
    bar: RichProgress | None = None

    def show(fraction: float, stage: str) -> None:
        nonlocal bar
        if not shown or (bar is None and time.perf_counter() - start < _PATIENCE_S):
            return
        text = plain(f"{label}: {stage}" if stage else label)
        if bar is None:
            console = Console(stderr=True)
            # Without markup: a file's name may hold brackets.
            columns = TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn()
            bar = RichProgress(
                *columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
            )
            bar.add_task(text, total=1.0)
            bar.start()
        bar.update(bar.task_ids[0], completed=fraction, description=text)

    try:
        yield Progress(show)
    finally:
        if bar is not None:
            bar.stop()
