"""A run from its first step, or from where it stopped, to its end, or to where it is stopped again."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttsr.data.sample import Batch
from ttsr.errors import RecipeError
from ttsr.files import atomic_path
from ttsr.runtime import Runtime
from ttsr.weights.metadata import Provenance
from ttsr.weights.saving import save

from .batches import batches, open_pairs
from .checkpoint import read_checkpoint, write_checkpoint
from .environment import record_environment
from .memory import peak_memory
from .recipe import Recipe
from .recipe_text import differences, parse_recipe, recipe_text
from .record import Record
from .stopping import stop_requests
from .trainer import Trainer
from .validation import Best, Validation

Report = Callable[[int, dict[str, float]], None]
Say = Callable[[str], None]


def _silent(_: str) -> None:
    pass


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    step: the steps taken in all. finished: whether these are all. seconds: of training, in all its parts.
    pairs_per_s: of this part, validations and the start left out. peak_memory_gb: of this process's memory, or of the
    GPU's. skipped_steps: those without a finite loss. skipped_pictures: files that could not be used.
    best: the best validation, if there was any.
    """

    step: int
    finished: bool
    seconds: float
    pairs_per_s: float
    peak_memory_gb: float
    skipped_steps: int
    skipped_pictures: int
    best: Best | None


def train(
    recipe: Recipe,
    data: Path,
    folder: Path,
    *,
    runtime: Runtime | None = None,
    max_seconds: float | None = None,
    resume: bool = False,
    accept_changes: bool = False,
    num_workers: int = 1,
    vgg19_file: Path | None = None,
    validation: Path | None = None,
    report: Report | None = None,
    say: Say = _silent,
) -> tuple[Trainer, Outcome]:
    """Run a recipe until it is done, or `max_seconds` of this call are up, or SIGTERM or SIGINT comes.

    Writes into `folder`: checkpoints, `log.jsonl`, TensorBoard's files, `recipe.yaml`, `environment.json`, and with a
    test set to validate on (`validation`, in CUFED5's layout) `best.safetensors`. A stopped and resumed run takes the
    same steps as one that was never stopped. `report` is called after each step, `say` with remarks.

    Raises:
        DataError: what is wrong with the data.
        WeightsError: weights to begin with, or VGG19's, cannot be had.
        RecipeError: nothing to resume, a checkpoint of another recipe (unless `accept_changes`), or losses that are not
            finite; the last checkpoint is then from before.
        OSError: something cannot be written; the last checkpoint is whole.
    """
    started = time.monotonic()
    runtime = runtime or Runtime("cpu")
    state = _resumed(recipe, folder, accept_changes, say if runtime.is_main else _silent) if resume else None
    validate = Validation(validation, runtime) if validation is not None else None
    pairs = open_pairs(recipe, data)
    trainer = Trainer(recipe, runtime, vgg19_file, state)
    run = _Run(recipe, folder, trainer, runtime, say)
    run.best = Best(**state["best"]) if state and state["best"] else None
    run.skip(pairs.skipped)
    run.open()
    before = trainer.seconds
    taken, busy = 0, 0.0
    record = Record(folder, trainer.step) if runtime.is_main else None
    try:
        with stop_requests() as stop_requested:
            begun = time.monotonic()
            for batch in batches(recipe, pairs, runtime, trainer.step, num_workers):
                figures = run.take_step(batch)
                now = time.monotonic()
                # The first step of a part waits for the workers and warms everything up.
                taken, busy = (taken + 1, busy + now - begun) if taken else (1, 0.0)
                trainer.seconds = before + now - started
                figures["step_s"] = now - begun
                if record is not None and trainer.step % recipe.log_steps == 0:
                    record.write(trainer.step, figures | {"seconds": round(trainer.seconds, 1)})
                if report is not None:
                    report(trainer.step, figures)
                if validate is not None and _is_due(trainer.step, recipe.validation_steps, recipe):
                    run.validated(validate(trainer, record))
                out_of_time = max_seconds is not None and now - started > max_seconds
                if runtime.agree(out_of_time or stop_requested()):
                    break
                if trainer.step % recipe.checkpoint_steps == 0:
                    run.save()
                begun = time.monotonic()
        run.save()
    finally:
        if record is not None:
            record.close()
    return trainer, Outcome(
        step=trainer.step,
        finished=trainer.step >= recipe.schedule.steps,
        seconds=trainer.seconds,
        pairs_per_s=recipe.batch_size * (taken - 1) / busy if busy else 0.0,
        peak_memory_gb=peak_memory(runtime.device),
        skipped_steps=trainer.skipped,
        skipped_pictures=len(run.skipped),
        best=run.best,
    )


def _resumed(recipe: Recipe, folder: Path, accept_changes: bool, say: Say) -> dict[str, Any]:
    """The state to go on from, of the same recipe."""
    state = read_checkpoint(folder, say)
    changed = differences(parse_recipe(state["recipe"], str(folder)), recipe)
    if changed and not accept_changes:
        raise RecipeError(
            f"{folder}: the run was started with another recipe ({'; '.join(changed)}); "
            "take the old values, or go on all the same with --accept-changes"
        )
    return state


class _Run:
    """A trainer, and the folder that its run lives in."""

    def __init__(self, recipe: Recipe, folder: Path, trainer: Trainer, runtime: Runtime, say: Say) -> None:
        self.recipe, self.folder, self.trainer, self.runtime, self.say = recipe, folder, trainer, runtime, say
        self.best: Best | None = None
        self.skipped: set[str] = set()

    def open(self) -> None:
        if self.runtime.is_main:
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_path(self.folder / "recipe.yaml") as temporary:
                temporary.write_text(recipe_text(self.recipe), encoding="utf-8")
            record_environment(self.folder, self.recipe, self.runtime, self.trainer.step)

    def take_step(self, batch: Batch) -> dict[str, float]:
        self.skip(batch.skipped)
        return self.trainer.train_step(batch.to(self.runtime.device))

    def skip(self, pictures: tuple[str, ...]) -> None:
        """Say once of each that it is left out."""
        for picture in pictures:
            if picture not in self.skipped:
                self.skipped.add(picture)
                self.say(f"left out: {picture}")

    def validated(self, psnr: float) -> None:
        if self.best is not None and psnr <= self.best.psnr:
            return
        self.best = Best(self.trainer.step, psnr)
        self.save()
        if self.runtime.is_main:
            provenance = Provenance("trained by ttsr", recipe=recipe_text(self.recipe), licence=self.recipe.licence)
            save(self.trainer.averaged_model(), self.folder / "best.safetensors", provenance=provenance)

    def save(self) -> None:
        """Write a checkpoint, unless the last step was skipped: there may be nothing sound to keep."""
        if self.runtime.is_main and self.trainer.is_sound:
            best = {"step": self.best.step, "psnr": self.best.psnr} if self.best else None
            write_checkpoint(self.folder, self.trainer.state() | {"best": best}, self.recipe.keep)


def _is_due(step: int, every: int, recipe: Recipe) -> bool:
    return step % every == 0 or step == recipe.schedule.steps
