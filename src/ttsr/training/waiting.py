"""Waiting for data that is away, such as a network share that is being restarted."""

import time
from collections.abc import Callable
from typing import TypeVar

from ttsr.data.store import AwayError
from ttsr.errors import DataError

MOST_WAIT_S = 300.0
"""How long; below the time after which the processes of a run give each other up (10 minutes with NCCL)."""

POLL_S = 1.0
"""How often one looks whether it is back."""

T = TypeVar("T")


def when_back(
    read: Callable[[], T | AwayError],
    away: AwayError,
    stop_requested: Callable[[], bool],
    on_warning: Callable[[str], None],
) -> T | DataError | None:
    """What `read` returns once it does not return an `AwayError` any more.

    Args:
        read: reads the data.
        away: what it returned.
        stop_requested: whether to give up.
        on_warning: called with a line at the start and at the end of the wait.

    Returns:
        It, or why it cannot be had after `MOST_WAIT_S`, or None where a stop was requested.
    """
    began = time.monotonic()
    limit = f"{MOST_WAIT_S / 60:.0f} minutes"
    on_warning(f"{away.what}: waiting up to {limit} for the data to come back")
    while not stop_requested():
        waited = time.monotonic() - began
        if waited > MOST_WAIT_S:
            return DataError(f"{away.what}, for {limit} now", "bring the data back, and resume")
        time.sleep(POLL_S)
        result = read()
        if not isinstance(result, AwayError):
            on_warning(f"the data is back after {time.monotonic() - began:.0f} s")
            return result
        away = result
    return None
