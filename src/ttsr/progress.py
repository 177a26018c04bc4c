"""How far a piece of work has come, and whether it is still wanted: the one form in which the package reports it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event


class Cancelled(Exception):
    """The work was cancelled through its `Progress`; nothing was written."""


class Progress:
    """Progress of a piece of work, reported to `show`, with a cancel that any thread may call.

    Args:
        show: called by the thread that works, with the fraction done in [0, 1] and the name of the stage at hand, which
            may be empty. None shows nothing, and cancelling still works.
    """

    def __init__(self, show: Callable[[float, str], None] | None = None) -> None:
        self._show = show
        self._cancelled = Event()

    def update(self, fraction: float, stage: str = "") -> None:
        """Report the fraction of the whole work that is done, in [0, 1], and what is being done now.

        Raises:
            Cancelled: `cancel` was called.
        """
        if self._cancelled.is_set():
            raise Cancelled("the work was cancelled")
        if self._show is not None:
            self._show(fraction, stage)

    def part(self, start: float, end: float, stage: str = "") -> "Progress":
        """The progress of a part of this work, from the fractions `start` to `end` of it; cancelled along with it.

        `stage` is the part's name where its own updates give none.
        """

        def show(fraction: float, name: str) -> None:
            # Exactly the end where all is done: the next part starts there, and progress does not go back by rounding.
            at = end if fraction >= 1 else min(end, start + (end - start) * fraction)
            self.update(at, name or stage)

        part = Progress(show)
        part._cancelled = self._cancelled
        return part

    def cancel(self) -> None:
        """Ask the work to stop: its next update raises `Cancelled`. May be called from any thread."""
        self._cancelled.set()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Within it, in this thread, `check_cancelled` heeds this progress: for work too deep to be handed it."""
        token = _watched.set(self)
        try:
            yield
        finally:
            _watched.reset(token)

    @property
    def is_cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled.is_set()


_watched: ContextVar[Progress | None] = ContextVar("watched", default=None)


def check_cancelled() -> None:
    """Between steps of long work: see `Progress.watched`.

    Raises:
        Cancelled: the progress that is watched was cancelled.
    """
    progress = _watched.get()
    if progress is not None and progress.is_cancelled:
        raise Cancelled("the work was cancelled")
