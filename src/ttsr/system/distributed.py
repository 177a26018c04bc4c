"""The processes of a run: one alone, or several that `accelerate launch` or `torchrun` started.

All that is Accelerate's is here.

The networks are not wrapped: they have more than one entry point, and a gradient penalty differentiates twice, which
wrappers do not take kindly to. Instead gradients are averaged in one message after the backward pass; the published
network's are 27 MB, milliseconds on any interconnect that several GPUs are worth using over.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor

from ttsr.errors import UserError
from ttsr.system.device import choose_device

T = TypeVar("T")

_BAD_INPUT = 2  # the command line's code for it


class Runtime:
    """This process among those of the run.

    rank: its number, from 0. count: how many there are. device: where it computes.
    """

    device: torch.device

    def __init__(self, device: str | torch.device = "auto") -> None:
        """Join the processes that were launched together, if any were.

        Raises:
            UserError: there is no such device, or several processes were launched and Accelerate is not installed, or
                there are fewer GPUs than processes.
        """
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        if self.count == 1:
            self.rank, self.device = 0, choose_device(device)
            return
        try:
            from accelerate import PartialState
        except ImportError:
            raise UserError('several processes need Accelerate: pip install "ttsr[train]"') from None
        kind = choose_device(device).type
        here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        if kind == "cuda" and here > torch.cuda.device_count():
            raise UserError(
                f"{here} processes for {torch.cuda.device_count()} GPUs: launch one for each, or --device cpu"
            )
        # Accelerate deals out the GPUs itself, one a process.
        state = PartialState(cpu=kind == "cpu")
        assert state.device is not None
        self.rank, self.device = state.process_index, state.device

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def gather(self, items: Sequence[T]) -> list[T]:
        """Every process's items, in the order of their ranks; on every process."""
        if self.count == 1:
            return list(items)
        from accelerate.utils import gather_object

        gathered: list[T] = gather_object(list(items))
        return gathered

    def agree(self, flag: bool) -> bool:
        """Whether any process says so."""
        if self.count == 1:
            return flag
        raised = torch.tensor([float(flag)], device=self.device)
        self.average([raised])
        return bool(raised.item() > 0)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What fails in the block for one process ends all of them, with its line; the block must not communicate.

        Raises:
            UserError, OSError: the failure; on the main process, if it was another's, its text as a UserError.
            SystemExit: on the others, which leave the word to the main one.
        """
        failure: UserError | OSError | None = None
        try:
            yield
        except (UserError, OSError) as error:
            if self.count == 1:
                raise
            failure = error
        if not self.agree(failure is not None):
            return
        texts = [text for text in self.gather([str(failure) if failure else ""]) if text]
        if not self.is_main:
            raise SystemExit(_BAD_INPUT)
        raise failure or UserError(texts[0])

    def wait(self) -> None:
        """Until all processes are here."""
        self.agree(False)

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its mean over the processes, in place."""
        if self.count == 1:
            return
        from accelerate.utils import reduce

        given = list(tensors)
        flat = torch.cat([tensor.reshape(-1).float() for tensor in given])
        mean: Any = reduce(flat, "mean")
        start = 0
        for tensor in given:
            tensor.copy_(mean[start : start + tensor.numel()].view_as(tensor))
            start += tensor.numel()

    def means(self, figures: Mapping[str, Tensor]) -> dict[str, float]:
        """Single numbers, each averaged over the processes; the same names on all of them."""
        if not figures:
            return {}
        stacked = torch.stack([value.detach().float().reshape(()) for value in figures.values()])
        self.average([stacked])
        return dict(zip(figures, stacked.tolist(), strict=True))

    def close(self) -> None:
        """Part from the other processes."""
        if self.count > 1:
            from accelerate import PartialState

            PartialState().destroy_process_group()
