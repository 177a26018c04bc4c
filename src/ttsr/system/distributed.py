"""The processes of a run: a single one, or several that `torchrun`, `accelerate launch` or Slurm's `srun` started.

Everything that uses Accelerate is here. Networks are not wrapped: they have several entry points, and a gradient
penalty differentiates twice, which the wrappers do not support. Instead gradients are averaged in one message after the
backward pass: 27 MB for the published network, milliseconds on any interconnect that is fast enough for several GPUs.
"""

import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor

from ttsr.errors import UserError
from ttsr.options import DEFAULT_DEVICE
from ttsr.system.device import choose_device
from ttsr.system.memory import is_out_of_memory
from ttsr.system.slurm import slurm_world

T = TypeVar("T")


class Runtime:
    """This process among those of the run: joins the processes that were launched together, if any were.

    Attributes:
        rank: this process's number, from 0.
        count: how many processes there are.
        device: where this process computes; of several GPUs each process gets its own.

    Raises:
        UserError: there is no such device, or several processes were launched and Accelerate is not installed, or
            there are fewer GPUs than processes, or the others cannot be reached.
    """

    def __init__(self, device: str | torch.device = DEFAULT_DEVICE) -> None:
        os.environ.update(slurm_world(os.environ))
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        if self.count == 1:
            self.rank, self.device = 0, choose_device(device)
            return
        try:
            from accelerate import PartialState
        except ImportError:
            raise UserError("several processes need Accelerate", 'pip install "ttsr[train]"') from None
        kind = choose_device(device).type
        here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        num_gpus = torch.cuda.device_count()
        if kind == "cuda" and here > num_gpus:
            raise UserError(f"{here} processes for {num_gpus} GPUs", "launch one process per GPU, or use device cpu")
        # Accelerate assigns the GPUs itself, one to a process.
        with _named_loss(), _ended_by_signals():
            state = PartialState(cpu=kind == "cpu")
        assert state.device is not None
        self.rank, self.device = state.process_index, state.device

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def gather(self, items: Sequence[T]) -> list[T]:
        """Every process's items, in the order of their ranks; on every process."""
        if self.count == 1:
            return list(items)
        from accelerate.utils import gather_object

        with _named_loss():
            return gather_object(list(items))

    def any_process(self, flag: bool) -> bool:
        """Whether the flag is set on any process; the same answer on all of them."""
        if self.count == 1:
            return flag
        raised = torch.tensor([float(flag)], device=self.device)
        self.average([raised])
        return bool(raised.item() > 0)

    @contextmanager
    def together(self) -> Iterator[None]:
        """A failure of one process in the block ends all of them, with one message. The block must not communicate.

        Raises:
            UserError, OSError: the failure; on the main process, if it was another's, its text as a UserError.
            SystemExit: on the others, which leave the message to the main one.
        """
        failure: UserError | OSError | None = None
        try:
            yield
        except (UserError, OSError) as error:
            if self.count == 1:
                raise
            failure = error
        if not self.any_process(failure is not None):
            return
        texts = [text for text in self.gather([str(failure) if failure else ""]) if text]
        if not self.is_main:
            raise SystemExit(2)  # as the command line does on bad input
        raise failure or UserError(texts[0])

    def wait(self) -> None:
        """Wait until all processes are here."""
        self.any_process(False)

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its mean over the processes, in place."""
        if self.count == 1:
            return
        from accelerate.utils import reduce

        with _named_loss():
            flat: Any = reduce(torch.cat([tensor.reshape(-1).float() for tensor in tensors]), "mean")
        for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(mean.view_as(tensor))

    def means(self, values: Mapping[str, Tensor]) -> dict[str, float]:
        """Single numbers, each averaged over the processes; the same names on all of them."""
        stacked = torch.stack([value.detach().float().reshape(()) for value in values.values()])
        self.average([stacked])
        return dict(zip(values, stacked.tolist(), strict=True))

    def close(self) -> None:
        """Leave the group of processes."""
        if self.count > 1:
            from accelerate import PartialState

            PartialState().destroy_process_group()


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Within it, signals end this process at once: Python's handlers would wait for the others to be there."""
    numbers = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _named_loss() -> Iterator[None]:
    """Within it, the failure of a message is one line: gloo and NCCL each raise a text of their own."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"another process of the run has ended, or cannot be reached ({reason})", "start all of them again"
        ) from None
