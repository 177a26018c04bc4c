"""Signals that ask a command to stop: Ctrl-C, SIGTERM, and SIGHUP where its terminal is gone."""

import signal
import sys
import threading
import time
from contextlib import suppress
from types import FrameType
from typing import Any

STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
# So long a command that was stopped may clean up before a further signal interrupts that too.
_CLEANING_S = 5.0
_SOON_S = 0.01


class StopSignals:
    """A context in which these signals raise `KeyboardInterrupt`, once: those that follow leave the cleaning up alone.

    Signals that were ignored stay so, as SIGINT in the background and SIGHUP under nohup; but not SIGTERM.

    Attributes:
        number: of the first signal that came; None before.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._since = 0.0
        self._before: dict[int, Any] = {}
        self._hook = sys.unraisablehook

    def __enter__(self) -> "StopSignals":
        self._hook, sys.unraisablehook = sys.unraisablehook, self._raise_again
        for number in STOP_SIGNALS:
            before = signal.getsignal(number)
            if before != signal.SIG_IGN or number == signal.SIGTERM:
                self._before[number] = before
                signal.signal(number, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        sys.unraisablehook = self._hook

    def _stop(self, number: int, _: FrameType | None) -> None:
        if self.number is not None and time.monotonic() - self._since < _CLEANING_S:
            return
        self.number, self._since = self.number or number, time.monotonic()
        raise KeyboardInterrupt

    def _raise_again(self, unraisable: Any) -> None:
        """Python drops what is raised where it frees an object: then the signal comes once more, a little later."""
        if self.number is None or not issubclass(unraisable.exc_type, KeyboardInterrupt):
            self._hook(unraisable)
            return
        self._since = float("-inf")
        again = threading.Timer(_SOON_S, _send_to_main_thread, [self.number])
        again.daemon = True
        with suppress(RuntimeError):  # Python is ending
            again.start()


def _send_to_main_thread(number: int) -> None:
    """Which may be waiting for something, and awakes for a signal of its own only."""
    if hasattr(signal, "pthread_kill") and (thread := threading.main_thread().ident) is not None:
        signal.pthread_kill(thread, number)
    else:
        signal.raise_signal(number)
