"""A run from its first step, or from where it stopped, to its end, or to where it is stopped again."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttsr.errors import RecipeError
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.system.distributed import Runtime
from ttsr.system.memory import peak_bytes
from ttsr.training.batches import batches, open_pairs
from ttsr.training.checkpoint import read_checkpoint
from ttsr.training.recipe import Recipe
from ttsr.training.recipe_text import differences, parse_recipe
from ttsr.training.run import Run
from ttsr.training.stopping import stop_requests
from ttsr.training.trainer import Trainer
from ttsr.training.validation import Validation, ValidationScore

Report = Callable[[int, dict[str, float]], None]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    step: the steps taken in all. finished: whether these are all. seconds: of training, in all its parts.
    pairs_per_s: of this part, validations and the start left out. peak_memory_gb: of this process's memory, or of the
    GPU's. skipped_steps: those without a finite loss, in all parts. skipped_pictures: files that could not be used in
    this part. best: the best validation, if there was any.
    """

    step: int
    finished: bool
    seconds: float
    pairs_per_s: float
    peak_memory_gb: float
    skipped_steps: int
    skipped_pictures: int
    best: ValidationScore | None


def _silent(_: str) -> None:
    pass


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
    make_network: Callable[[TTSRConfig], TTSR] = TTSR,
    report: Report | None = None,
    say: Say = _silent,
) -> tuple[Trainer, Outcome]:
    """Run a recipe until it is done, or `max_seconds` of this call are up, or SIGTERM or SIGINT comes.

    Writes into `folder`: checkpoints, `log.jsonl`, TensorBoard's files, `recipe.yaml`, `environment.json`, and with a
    test set to validate on (`validation`, in CUFED5's layout) `best.safetensors`. A stopped and resumed run takes the
    same steps as one that was never stopped. `make_network`: see `build_networks`. `report` is called after each step,
    `say` with remarks.

    Raises:
        DataError: what is wrong with the data.
        WeightsError: weights to begin with, or VGG19's, cannot be had.
        RecipeError: nothing to resume, a checkpoint of another recipe (unless `accept_changes`), or losses that are not
            finite; the last checkpoint is then from before.
        OSError: something cannot be written; the last checkpoint is whole.
    """
    started = time.monotonic()
    runtime = runtime or Runtime("cpu")
    with runtime.together():
        state = _resumed(recipe, folder, accept_changes, say if runtime.is_main else _silent) if resume else None
        validate = Validation(validation, runtime) if validation is not None else None
        pairs = open_pairs(recipe, data)
        trainer = Trainer(recipe, runtime, vgg19_file, state, make_network=make_network)
        run = Run(recipe, folder, trainer, runtime, say, state)
        record = run.open()
    run.skip(pairs.skipped if runtime.is_main else ())
    before, taken, busy = trainer.seconds, 0, 0.0
    try:
        with stop_requests() as stop_requested:
            if validate is not None and state is not None and run.owes_validation():
                run.validate(validate, record)
            stream = batches(recipe, pairs, runtime, trainer.step, num_workers)
            while trainer.step < recipe.schedule.steps:
                begun = time.monotonic()
                with runtime.together():
                    batch = next(stream)
                run.skip(batch.skipped)
                figures = trainer.train_step(batch.to(runtime.device))
                now = time.monotonic()
                # The first step of a part waits for the workers and warms everything up.
                taken, busy = (taken + 1, busy + now - begun) if taken else (1, 0.0)
                trainer.seconds = before + now - started
                figures["step_s"] = now - begun
                if record is not None and trainer.step % recipe.log_steps == 0:
                    skipped = {"skipped": trainer.skipped} if trainer.skipped else {}
                    record.write(trainer.step, figures | {"seconds": round(trainer.seconds, 1)} | skipped)
                if report is not None:
                    report(trainer.step, figures)
                out_of_time = max_seconds is not None and now - started > max_seconds
                stopping = runtime.any_process(out_of_time or stop_requested())
                due = validate is not None and run.owes_validation()
                if stopping or due or trainer.step % recipe.checkpoint_steps == 0:
                    run.save()
                if stopping:
                    break
                if validate is not None and due:
                    run.validate(validate, record)
            run.save()
    finally:
        if record is not None:
            record.close()
    return trainer, Outcome(
        step=trainer.step,
        finished=trainer.step >= recipe.schedule.steps,
        seconds=trainer.seconds,
        pairs_per_s=recipe.batch_size * (taken - 1) / busy if busy else 0.0,
        peak_memory_gb=peak_bytes(runtime.device) / 1e9,
        skipped_steps=trainer.skipped,
        skipped_pictures=len(set(runtime.gather(sorted(run.skipped)))),
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
