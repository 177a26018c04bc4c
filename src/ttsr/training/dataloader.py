"""The dataloader: batches of training pairs in the order of the steps, made by other processes during a step."""

import signal
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset

from ttsr.data.cufed import CufedPairs
from ttsr.data.photos import PhotoPairs
from ttsr.data.sample import Batch, Pair, collate
from ttsr.errors import DataError
from ttsr.system.distributed import Runtime
from ttsr.training.recipe import Recipe

# A batch of nine at 160 px is 11 MB, and containers often share no more than 64 MB between processes.
PREFETCHED = 2


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
    recipe: Recipe, pairs: Dataset[Pair], runtime: Runtime, step: int, num_workers: int, first_pair: int
) -> Iterator[Batch]:
    """This process's share of each step's batch, from step `step` to the last.

    Each step takes the next B pairs, from number `first_pair` on, for a batch of B pairs over all processes. They are
    split over the processes in order.

    Raises:
        DataError: a pair cannot be made.
    """
    loader = DataLoader(
        _Batches(pairs, recipe.pairs_per_step(runtime.count), runtime, step, first_pair),
        batch_size=None,
        sampler=range(step, recipe.schedule.steps),
        num_workers=num_workers,
        prefetch_factor=PREFETCHED if num_workers else None,
        worker_init_fn=_prepare_worker,
        pin_memory=runtime.device.type == "cuda",
    )
    for batch in loader:
        if isinstance(batch, DataError):
            raise batch
        yield batch


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


def _prepare_worker(_: int) -> None:
    torch.set_num_threads(1)
    # Both signals reach the whole process group; the main process decides when to stop, and stops its workers itself.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
