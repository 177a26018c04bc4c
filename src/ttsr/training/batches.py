"""Training batches, in the order that the steps take them; made by other processes while a step is computed."""

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
        DataError: what is wrong with the data.
    """
    if recipe.pairs == "cufed":
        return CufedPairs(data, recipe.cufed, recipe.seed)
    return PhotoPairs(data, recipe.photos, recipe.seed)


def batches(
    recipe: Recipe, pairs: Dataset[Pair], runtime: Runtime, first_step: int, num_workers: int
) -> Iterator[Batch]:
    """This process's share of each step's batch, from step `first_step` to the last.

    Step s is made of the pairs s B ... (s + 1) B - 1 for a batch of B, which the processes share out in order.

    Raises:
        DataError: a pair cannot be made.
    """
    share = recipe.batch_size // runtime.count
    loader = DataLoader(
        _Spoken(pairs),
        batch_sampler=_Numbers(
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


class _Numbers(Sampler[list[int]]):
    """Numbers of the pairs of this process, step by step."""

    def __init__(self, steps: range, batch: int, first: int, share: int) -> None:
        self.steps, self.batch, self.first, self.share = steps, batch, first, share

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[list[int]]:
        for step in self.steps:
            start = step * self.batch + self.first
            yield list(range(start, start + self.share))


class _Spoken(Dataset[Pair | DataError]):
    """Pairs, or what is wrong with them: raised in a worker, an error would come wrapped in the worker's traceback."""

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
    # Both come to a whole group of processes; the main one decides when to stop, and stops its workers itself.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
