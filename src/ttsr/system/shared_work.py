"""Pieces of work that the processes of a run share, each taking the next one when it is done with its last."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from ttsr.errors import UserError
from ttsr.options import Device
from ttsr.system.slurm import slurm_world

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

T = TypeVar("T")

_POLL_S = 0.2
_STOPPING_S = 5.0
_JOIN = timedelta(minutes=5)


class SharedWork:
    """This process among those that `torchrun`, `accelerate launch` or Slurm's `srun` started, or on its own.

    The processes need no common memory and never compute together: they only count, by a store of PyTorch's that one
    of them or the launcher serves. So pictures may take hours, and processes may be of different speed.

    Attributes:
        rank: this process's number, from 0.
        count: how many processes there are.

    Raises:
        UserError: the others cannot be reached.
    """

    def __init__(self) -> None:
        os.environ.update(slurm_world(os.environ))
        self.rank, self.count = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        self._store: Store | None = None if self.count == 1 else self._join()
        self._counts: dict[str, int] = {}

    @property
    def is_main(self) -> bool:
        """Whether this is the process that prints what concerns all."""
        return self.rank == 0

    def device(self, name: Device) -> Device:
        """Where this process computes: each process on a host takes its own GPU, where `name` names none by number.

        Raises:
            UserError: there are fewer GPUs on this host than processes.
        """
        from ttsr.system.device import choose_device

        if self.count == 1 or ":" in name or choose_device(name).type != "cuda":
            return name
        import torch

        here, num_gpus = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), torch.cuda.device_count()
        if here > num_gpus:
            raise UserError(f"{here} processes for {num_gpus} GPUs", "launch one process per GPU, or use device cpu")
        return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"

    def take(self, items: Sequence[T]) -> Iterator[T]:
        """The items that no other process has taken, one at a time; the same items, in the same order, on all."""
        while (number := self.add("taken", 1) - 1) < len(items):
            yield items[number]

    def add(self, name: str, number: int) -> int:
        """Add to a number that all processes share, 0 at first; the sum.

        Raises:
            UserError: the process that counts is gone.
        """
        if self._store is None:
            self._counts[name] = self._counts.get(name, 0) + number
            return self._counts[name]
        try:
            return self._store.add(name, number)
        except RuntimeError:  # what PyTorch raises on a lost connection too
            raise UserError("another process of the run is gone", "start it again; what is done stays") from None

    def meet(self) -> None:
        """Wait until all processes are here, before the first takes a piece of work.

        Raises:
            UserError: one of them has stopped.
        """
        self.add("met", 1)
        while self.add("met", 0) < self.count:
            if self.add("stopped", 0):
                raise UserError("another process of the run has stopped")
            time.sleep(_POLL_S)

    def finish(self, counts: Mapping[str, int]) -> dict[str, int]:
        """Wait until all processes are done, however long their last pieces take; the sums of their counts."""
        for name, number in counts.items():
            self.add(name, number)
        self.add("finished", 1)
        while self.add("finished", 0) + self.add("stopped", 0) < self.count:
            time.sleep(_POLL_S)
        sums = {name: self.add(name, 0) for name in counts}
        self.add("left", 1)
        while self.is_main and self.add("left", 0) + self.add("stopped", 0) < self.count:  # it may serve the store
            time.sleep(_POLL_S)
        return sums

    def stop(self, reason: str) -> bool:
        """Leave the others for an error; whether none of them has stopped for the same one.

        The main process, without which they could not find that out, gives them some seconds to do so.
        """
        try:
            is_first = self.add(f"stopped: {reason}", 1) == 1
            self.add("stopped", 1)
            until = time.monotonic() + _STOPPING_S
            while self.is_main and time.monotonic() < until and self.add("stopped", 0) < self.count:
                time.sleep(_POLL_S)
            return is_first
        except UserError:
            return True

    def _join(self) -> "Store":
        from torch.distributed.rendezvous import rendezvous

        try:
            store, _, _ = next(rendezvous("env://", timeout=_JOIN))
        except (RuntimeError, ValueError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UserError(f"the {self.count} processes of the run do not meet ({reason})") from None
        return store
