"""Stopping when asked to: the step in hand is ended and saved first."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """While open, SIGTERM and the first SIGINT are noted, not obeyed; call what it gives to ask whether one came."""
    noted: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        if noted and number == signal.SIGINT:  # schedulers and launchers repeat SIGTERM by themselves
            raise KeyboardInterrupt
        noted.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: bool(noted)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
