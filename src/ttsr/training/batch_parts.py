"""A batch in parts, one after the other, to save memory: as many as the recipe says, and more where memory runs out."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from ttsr.data.sample import Batch
from ttsr.errors import RecipeError
from ttsr.system.distributed import Runtime
from ttsr.system.memory import is_out_of_memory
from ttsr.training.recipe import Recipe

T = TypeVar("T")


class Part(NamedTuple):
    """Some pairs of a process's share of a batch, their numbers in the run, and their place in the share."""

    batch: Batch
    numbers: range
    place: slice


class BatchParts:
    """The parts that this process's share of every batch is computed in; all processes have as many.

    The mean over equal parts is the mean over the batch, so that their number changes a step by rounding alone. It
    rises when memory runs out, and stays so.

    Args:
        recipe: the run's.
        runtime: its processes.
        on_warning: called with a line when the number rises.

    Attributes:
        count: their number.

    Raises:
        RecipeError: the batch cannot be split evenly.
    """

    def __init__(self, recipe: Recipe, runtime: Runtime, on_warning: Callable[[str], None] | None = None) -> None:
        check_split(recipe, runtime.count)
        self.count = recipe.engine.accumulation
        self._recipe, self._runtime, self._on_warning = recipe, runtime, on_warning
        self._share = recipe.pairs_per_step(runtime.count) // runtime.count

    def resume(self, count: int) -> None:
        """Go on with as many parts as a checkpoint's run had, or the next larger number that these processes allow."""
        self.count = self._allowed(max(count, self.count)) or self.count

    def compute(
        self, batch: Batch, first: int, step: int, of_part: Callable[[Part], T], undo: Callable[[], None]
    ) -> list[T]:
        """What `of_part` returns for each part; all processes must call this together.

        Where memory runs out on any of them, all undo what was done and begin anew with more parts.

        Args:
            batch: this process's share.
            first: the number of its first pair.
            step: the number of the step, from 1, for messages.
            of_part: may keep nothing of a part that `undo` does not remove.
            undo: gives back the memory and the state from before.

        Raises:
            RecipeError: memory runs out, and smaller parts are not allowed.
        """
        while True:
            results: list[T] = []
            failed = False
            try:
                for part in split(batch, first, self.count):
                    results.append(of_part(part))
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                failed = True  # and no reference to the error is kept: its traceback holds the tensors
            if not self._runtime.any_process(failed):
                return results
            results.clear()
            undo()
            if self._runtime.device.type == "cuda":
                torch.cuda.empty_cache()
            self._split_further(step)

    def _split_further(self, step: int) -> None:
        size, count = self._share // self.count, self._allowed(self.count + 1)
        with self._runtime.together():
            if count is None:
                because = "" if size == 1 else f", the fewest that {self._limit[1]} allows"
                pairs = "a single pair" if size == 1 else f"{size} pairs"
                raise RecipeError(
                    f"step {step}: memory ran out with {pairs} at a time{because}",
                    "resume from the last checkpoint with more memory, or train on smaller crops",
                )
        if self._on_warning is not None:
            self._on_warning(
                f"step {step}: memory ran out with {size} pairs at a time: taking {self._share // count} from here on, "
                f"in {count} parts (engine.accumulation); the steps stay the same but for rounding"
            )
        self.count = count

    def _allowed(self, at_least: int) -> int | None:
        """The smallest number of parts, from `at_least` on, that leaves the mathematics as they are."""
        smallest, _ = self._limit
        counts = (count for count in range(at_least, self._share + 1) if self._share % count == 0)
        return next((count for count in counts if self._share // count % smallest == 0), None)

    @property
    def _limit(self) -> tuple[int, str]:
        """How many pairs must stay together, and for what."""
        losses = self._recipe.losses
        if losses.adversarial and losses.adversarial_kind == "ragan":  # its means are over all pairs
            return self._share, "losses.adversarial_kind ragan"
        return (losses.contrastive_group if self._recipe.is_contrastive else 1), "losses.contrastive_group"


def check_split(recipe: Recipe, num_processes: int) -> None:
    """Check that a batch splits evenly over processes and parts, and its contrastive groups stay whole.

    Raises:
        RecipeError: it does not, or they do not.
    """
    shared = recipe.batch_per == "run"
    num_parts = recipe.engine.accumulation * (num_processes if shared else 1)
    size, rest = divmod(recipe.batch_size, num_parts)
    if rest:
        over = f"{num_processes} processes x {recipe.engine.accumulation} parts"
        raise RecipeError(
            f"{recipe.name}: a batch of {recipe.batch_size} cannot be split evenly over "
            f"{over if shared else f'{num_parts} parts'}",
            f"set batch_size to a multiple of {num_parts}" + (", or batch_per to process" if shared else ""),
        )
    group = recipe.losses.contrastive_group
    if num_parts > 1 and recipe.is_contrastive and size % group:
        raise RecipeError(
            f"{recipe.name}: parts of {size} pairs are no multiple of losses.contrastive_group {group}",
            f"set losses.contrastive_group to a divisor of {size}",
        )


def split(batch: Batch, first: int, count: int) -> list[Part]:
    """A batch, whose first pair has the number `first`, in `count` parts of equal size."""
    size = len(batch) // count
    tensors = {name: value for name, value in vars(batch).items() if isinstance(value, Tensor)}
    parts = []
    for start in range(0, count * size, size):
        place = slice(start, start + size)
        part = replace(batch, **{name: value[place] for name, value in tensors.items()})
        parts.append(Part(part, range(first + start, first + start + size), place))
    return parts
