"""The dataloader: batches of training pairs in the order of the steps, made by other processes during a step."""

import signal
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from ttsr.data.cufed import CufedPairs
from ttsr.data.photos import PhotoPairs
from ttsr.data.sample import Batch, Pair, collate
from ttsr.errors import DataError
from ttsr.system.distributed import Runtime
from ttsr.training.recipe import Recipe

# A batch of nine at 160 px is 11 MB, and containers often share no more than 64 MB between processes.
PREFETCHED = 2


def open_pairs(recipe: Recipe, data: Path) -> CufedPairs | PhotoPairs:
    """The recipe's pairs. Pair number n depends on the seed and n alone.

    Raises:
        DataError: the data is missing or unusable.
    """
    if recipe.pairs == "cufed":
        return CufedPairs(data, recipe.cufed, recipe.seed)
    return PhotoPairs(data, recipe.photos, recipe.seed)


def load_batches(
    recipe: Recipe, pairs: Dataset[Pair], runtime: Runtime, first_step: int, num_workers: int
) -> Iterator[Batch]:
    """This process's share of each step's batch, from step `first_step` to the last.

    Step s consists of the pairs s B ... (s + 1) B - 1 for a batch size of B, split over the processes in order.

    Raises:
        DataError: a pair cannot be made.
    """
    share = recipe.batch_size // runtime.count
    loader = DataLoader(
        _PairsOrErrors(pairs),
        batch_sampler=_PairNumbers(
            range(first_step, recipe.schedule.steps), recipe.batch_size, runtime.rank * share, share
        ),
        collate_fn=_collate,
        num_workers=num_workers,
        prefetch_factor=PREFETCHED if num_workers else None,
        worker_init_fn=_prepare_worker,
        pin_memory=runtime.device.type == "cuda",
    )
    for batch in loader:
        if isinstance(batch, DataError):
            raise batch
        yield batch


class _PairNumbers(Sampler[list[int]]):
    """Numbers of this process's pairs, step by step."""

    def __init__(self, steps: range, batch_size: int, first: int, share: int) -> None:
        self.steps, self.batch_size, self.first, self.share = steps, batch_size, first, share

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[list[int]]:
        for step in self.steps:
            start = step * self.batch_size + self.first
            yield list(range(start, start + self.share))


class _PairsOrErrors(Dataset[Pair | DataError]):
    """Pairs, or the error: raised in a worker, it would be wrapped in the worker's traceback."""

    def __init__(self, pairs: Dataset[Pair]) -> None:
        self.pairs = pairs

    def __getitem__(self, number: int) -> Pair | DataError:
        try:
            return self.pairs[number]
        except DataError as error:
            return error


def _collate(pairs: list[Pair | DataError]) -> Batch | DataError:
    good = [pair for pair in pairs if isinstance(pair, Pair)]
    return next((pair for pair in pairs if isinstance(pair, DataError)), None) or collate(good)


def _prepare_worker(_: int) -> None:
    torch.set_num_threads(1)
    # Both signals reach the whole process group; the main process decides when to stop, and stops its workers itself.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
