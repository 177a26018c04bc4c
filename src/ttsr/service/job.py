"""A job, from the queue to its result."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ttsr.service.change import Change
from ttsr.service.job_request import JobPlan, JobRequest

State = Literal["queued", "running", "done", "failed", "cancelled"]
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")


@dataclass(eq=False)
class Job:
    """A job, which belongs to the event loop's thread.

    Attributes:
        request: what to do.
        plan: what it will take.
        client: the address that it counts for.
        folder: of its files.
        id: the secret by which its client asks for it.
        state: how far it is.
        position: in the queue, from 1; 0 when it is not there.
        fraction: of its work that is done, from 0 to 1.
        stage: what is being done.
        error: why it failed, one line.
        result: what is said of the result.
        ended: when it ended, by the monotonic clock.
        stop: set when it is cancelled.
        version: how often it has changed.
        changes: told of each.
    """

    request: JobRequest
    plan: JobPlan
    client: str
    folder: Path
    id: str
    state: State = "queued"
    position: int = 0
    fraction: float = 0.0
    stage: str = ""
    error: str | None = None
    result: dict[str, Any] | None = None
    ended: float = 0.0
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    version: int = 0
    changes: Change = field(default_factory=Change)

    @property
    def has_ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDED

    def change(self, **values: Any) -> None:
        """Set attributes, and tell those who wait for a change."""
        for name, value in values.items():
            setattr(self, name, value)
        self.version += 1
        self.changes.tell()

    def end(self, state: State, *, error: str | None = None, result: dict[str, Any] | None = None) -> None:
        """Set the last state, unless there is one."""
        if not self.has_ended:
            fraction = 1.0 if state == "done" else self.fraction
            self.change(
                state=state, error=error, result=result, fraction=fraction, position=0, stage="", ended=time.monotonic()
            )
