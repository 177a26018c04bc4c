"""The dataloader: batches of training pairs in the order of the steps, made by other processes during a step."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from ttsr.data.cufed import CufedPairs
from ttsr.data.photos import PhotoPairs
from ttsr.data.sample import Batch, Pair, collate
from ttsr.data.store import AwayError
from ttsr.errors import DataError
from ttsr.system.distributed import Runtime
from ttsr.training.recipe import Recipe
from ttsr.training.waiting import MOST_WAIT_S, POLL_S, when_back

# A batch of nine at 160 px is 11 MB, and containers often share no more than 64 MB between processes.
PREFETCHED = 2

MOST_LOSSES = 3
"""How often workers are begun anew for one batch."""


def open_pairs(recipe: Recipe, data: Path, mined: Path | None = None) -> CufedPairs | PhotoPairs:
    """The recipe's pairs, with mined ones among those from photos. Pair number n depends on the seed and n alone.

    Raises:
        DataError: the data is missing or unusable.
    """
    if recipe.pairs == "cufed":
        return CufedPairs(data, recipe.cufed, recipe.seed)
    with_references = recipe.trains != "trunk"
    mined = mined if recipe.takes_mined else None
    return PhotoPairs(data, recipe.photos, recipe.seed, mined=mined, with_references=with_references)


def load_batches(
    recipe: Recipe,
    pairs: Dataset[Pair],
    runtime: Runtime,
    step: int,
    num_workers: int,
    first_pair: int,
    *,
    stop_requested: Callable[[], bool] = lambda: False,
    on_warning: Callable[[str], None] = lambda _: None,
) -> Generator[Batch | DataError | None, None, None]:
    """This process's share of each step's batch, from step `step` to the last.

    Each step takes the next B pairs, from number `first_pair` on, for a batch of B pairs over all processes. They are
    split over the processes in order. Data that is away is waited for, and workers that were killed are replaced: the
    pairs stay the same.

    Args:
        recipe: the run's.
        pairs: by number.
        runtime: the run's processes.
        step: the first step, from 0.
        num_workers: processes that make the pairs; 0 makes them here.
        first_pair: the number of the first pair of all processes.
        stop_requested: asked while there is nothing to do but wait.
        on_warning: called with a line for what is waited for or replaced.

    Yields:
        The batches; instead of one, as the last item, why it cannot be made, or None where a stop was requested.
    """
    batches = _Batches(pairs, recipe.pairs_per_step(runtime.count), runtime, step, first_pair)
    handler = _handler_of_dead_children()
    loader, losses = None, 0
    try:
        while step < recipe.schedule.steps:
            batch: Batch | DataError | None
            try:
                loader = loader or _begin(batches, range(step, recipe.schedule.steps), num_workers, runtime)
                batch = _next_item(loader, step + 1, stop_requested, on_warning)
            except _WorkerLost as lost:
                loader, losses = None, losses + 1
                if losses <= MOST_LOSSES:
                    on_warning(f"step {step + 1}: {lost}: starting again, with the same pairs")
                    continue
                remedy = "memory may be short, also /dev/shm: use fewer of them, or none"
                batch = DataError(f"step {step + 1}: {lost}, again and again", remedy)
            except OSError as error:
                reason = error.strerror or error
                batch = DataError(f"the processes that make training pairs cannot be started ({reason})", "use fewer")
            if isinstance(batch, AwayError):
                loader = None
                batch = when_back(lambda at=step: batches[at], batch, stop_requested, on_warning)
            yield batch
            if batch is None or isinstance(batch, DataError):
                return
            step, losses = step + 1, 0
    finally:
        loader = None  # its workers end before the handler of their deaths is back
        if handler is not None:
            signal.signal(signal.SIGCHLD, handler)


class _Batches(Dataset[Batch | DataError]):
    """This process's share of each step, or the error: raised in a worker, it would be wrapped in its traceback."""

    def __init__(self, pairs: Dataset[Pair], per_step: int, runtime: Runtime, first_step: int, first_pair: int) -> None:
        self.pairs, self.per_step, self.share = pairs, per_step, per_step // runtime.count
        self.first_step, self.first = first_step, first_pair + runtime.rank * self.share

    def __getitem__(self, step: int) -> Batch | DataError:
        start = self.first + (step - self.first_step) * self.per_step
        try:
            return collate([self.pairs[number] for number in range(start, start + self.share)])
        except DataError as error:
            return error
        except MemoryError:
            return DataError(f"step {step + 1}: memory ran out while training pairs were made", "free some, and resume")


class _WorkerLost(Exception):
    """A process that makes training pairs has ended, however."""


def _begin(batches: _Batches, steps: range, num_workers: int, runtime: Runtime) -> Iterator[Any]:
    """The batches of these steps; the workers end with the last reference to it."""
    loader = DataLoader(
        batches,
        batch_size=None,
        sampler=steps,
        num_workers=num_workers,
        prefetch_factor=PREFETCHED if num_workers else None,
        worker_init_fn=_prepare_worker,
        pin_memory=runtime.device.type == "cuda",
        timeout=POLL_S if num_workers else 0,
    )
    before = _handler_of_dead_children()
    iterator = iter(loader)
    if before is not None:
        # PyTorch's handler raises wherever the program is when a worker dies, be it in the middle of a step. Without
        # it, the next batch that is asked for raises. One of a program's own loaders may have set it before.
        of_pytorch = getattr(before, "__module__", "").startswith("torch.utils.data")
        signal.signal(signal.SIGCHLD, signal.SIG_DFL if of_pytorch else before)
    return iterator


def _handler_of_dead_children() -> Any:
    """What Python calls when a child process ends; None where that is not to be changed from here."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    return signal.getsignal(signal.SIGCHLD) if hasattr(signal, "SIGCHLD") and in_main_thread else None


def _next_item(
    loader: Iterator[Any], step: int, stop_requested: Callable[[], bool], on_warning: Callable[[str], None]
) -> Batch | DataError | None:
    """The next batch or error, or None where a stop is requested while it does not come."""
    asked = time.monotonic()
    silent = True
    while True:
        try:
            return next(loader)
        except (RuntimeError, OSError, EOFError) as error:
            # Of a worker that was killed while it handed over a batch, its connection tells.
            if not isinstance(error, RuntimeError) or "DataLoader worker" in str(error):
                raise _WorkerLost("a process that makes training pairs was killed") from None
            if "DataLoader timed out" not in str(error):
                raise
        if stop_requested():
            _kill_workers(loader)
            return None
        waited = time.monotonic() - asked
        if waited > MOST_WAIT_S:
            _kill_workers(loader)
            what = f"step {step}: its training pairs have not come for {MOST_WAIT_S / 60:.0f} minutes"
            return DataError(what, "see whether the data can be read, and resume")
        if silent and waited > MOST_WAIT_S / 10:
            on_warning(f"step {step}: its training pairs have not come for {waited:.0f} s; still waiting for them")
            silent = False


def _kill_workers(loader: Iterator[Any]) -> None:
    """End workers that hang: they do not listen to SIGTERM, and the program would wait for them at its end."""
    for worker in getattr(loader, "_workers", ()):
        worker.kill()


def _prepare_worker(_: int) -> None:
    torch.set_num_threads(1)
    # Both signals reach the whole process group; the main process decides when to stop, and stops its workers itself.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.excepthook = _report


def _report(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """As Python does, but for lost connections: multiprocessing raises them in a thread when the main process ends."""
    if not issubclass(kind, OSError | EOFError):
        sys.__excepthook__(kind, error, traceback)
