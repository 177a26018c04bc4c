"""The training loop: a run from its first step, or from its last checkpoint, until it is finished or stopped."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from ttsr.errors import RecipeError
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.progress import Cancelled, Progress
from ttsr.system.distributed import Runtime
from ttsr.system.folder_lock import lock_folder
from ttsr.system.memory import peak_bytes
from ttsr.training.checkpoint import has_checkpoint, read_checkpoint
from ttsr.training.dataloader import load_batches, open_pairs
from ttsr.training.recipe import Recipe
from ttsr.training.recipe_text import differences, parse_recipe
from ttsr.training.run import Run
from ttsr.training.trainer import Trainer
from ttsr.training.validation import Validation, ValidationScore


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        step: steps taken.
        finished: whether these are all steps of the recipe.
        seconds: time spent training, in all parts of the run.
        steps_per_s: in this part, without validations and the start; 0 if it took no more than one step.
        pairs_per_s: the same in pairs, of all processes.
        peak_memory_gb: of this process, or of the GPU.
        skipped_steps: steps without a finite loss, in all parts.
        skipped_pictures: files that could not be used in this part.
        best: the best validation, if there was any.
        weights: the file with the final weights.
    """

    step: int
    finished: bool
    seconds: float
    steps_per_s: float
    pairs_per_s: float
    peak_memory_gb: float
    skipped_steps: int
    skipped_pictures: int
    best: ValidationScore | None
    weights: Path


def train(
    recipe: Recipe,
    data: Path,
    folder: Path,
    *,
    runtime: Runtime | None = None,
    max_seconds: float | None = None,
    resume: bool | Literal["must"] = False,
    accept_changes: bool = False,
    num_workers: int = 1,
    vgg19_file: Path | None = None,
    test_set: Path | None = None,
    make_network: Callable[[TTSRConfig], TTSR] = TTSR,
    progress: Progress | None = None,
    wandb_project: str | None = None,
    on_start: Callable[[Trainer], None] | None = None,
    on_step: Callable[[int, dict[str, float]], None] | None = None,
    on_log: Callable[[int, dict[str, float]], None] | None = None,
    on_warning: Callable[[str], None] | None = None,
) -> tuple[Trainer, Outcome]:
    """Run a recipe until it is finished, the time is up, SIGTERM or SIGINT comes, or `progress` is cancelled.

    A stopped and resumed run takes the same steps as one that was never stopped.

    Args:
        recipe: what to train, and how.
        data: a folder, or a packed file, of what `recipe.pairs` names.
        folder: of the run. Written there: checkpoints, the averaged weights as `NAME.safetensors`, `log.jsonl`,
            TensorBoard's files, `recipe.yaml`, `environment.json`, and with `test_set` `best.safetensors`.
        runtime: the processes; by default this one, on the CPU.
        max_seconds: time after which this call stops.
        resume: continue from the last checkpoint in `folder`; where there is none, start anew, or with `must` refuse.
        accept_changes: resume even if the recipe differs from the run's.
        num_workers: processes that make training pairs, for each process; 0 makes them between the steps.
        vgg19_file: torchvision's weights of VGG19; downloaded if needed and not given.
        test_set: to validate on, as `ttsr.data.list_groups` takes it: CUFED5, or CUFED with it.
        make_network: see `build_networks`.
        progress: shown with the main losses and the speed, and before with the download of VGG19.
        wandb_project: a project of Weights & Biases to log to, beside TensorBoard.
        on_start: called on each process before the first step.
        on_step: called after each step with its number, from 1, and its metrics: those of `Trainer.train_step`, and
            `step_s`, its time in seconds.
        on_log: called on the main process with step and metrics of each line of the log: the means of those of
            `on_step` over the steps since the line before; and of each validation, its mean `psnr`.
        on_warning: called with a line for each picture that is left out, each unreadable checkpoint, and what the
            weights to start from lack or hold beside the networks.

    Raises:
        DataError: the data or the test set is missing or unusable.
        WeightsError: weights to start from, or VGG19's, are not found or not downloadable, or the final weights
            cannot be written.
        RecipeError: nothing to resume, a checkpoint of another recipe, losses that are not finite (the last
            checkpoint is from before), a file cannot be written (the last checkpoint is complete), or W&B refuses.
        UserError: another run writes to `folder`.
        Cancelled: `progress` was cancelled during the download of VGG19.
    """
    started = time.monotonic()
    runtime, held = runtime or Runtime("cpu"), ExitStack()
    try:
        with runtime.together():
            if runtime.is_main:
                held.enter_context(lock_folder(folder))
            if resume is True:
                resume = has_checkpoint(folder)
            state = _state_to_resume(recipe, folder, accept_changes, on_warning, runtime) if resume else None
            validation = None
            if test_set is not None:
                validation = Validation(test_set, recipe.validation_protocol, recipe.validation_reference)
            pairs = open_pairs(recipe, data)
            trainer = Trainer(
                recipe,
                runtime,
                vgg19_file,
                state,
                make_network=make_network,
                progress=progress,
                on_warning=on_warning if runtime.is_main else None,
            )
        at_one_step = len(set(runtime.gather([trainer.step]))) == 1
        with runtime.together():
            if not at_one_step:
                raise RecipeError(f"{folder}: not all processes find its last checkpoint", "use a shared folder")
            run = Run(trainer, folder, state, validation, on_warning, on_log, wandb_project)
        if on_start is not None:
            on_start(trainer)
        run.skip_pictures(pairs.skipped if runtime.is_main else ())
        seconds_before, num_timed, busy_seconds = trainer.seconds, -1, 0.0
        with closing(run), stop_requests() as stop_requested:
            if run.validation_is_due():  # where a resumed run was stopped before it
                run.validate()
            batches = load_batches(recipe, pairs, runtime, trainer.step, num_workers, trainer.num_pairs)
            while trainer.step < recipe.schedule.steps:
                step_started = time.monotonic()
                with runtime.together():
                    batch = next(batches)
                run.skip_pictures(batch.skipped)
                metrics = trainer.train_step(batch.to(runtime.device))
                now = time.monotonic()
                num_timed += 1
                if num_timed:  # the first step waits for the workers, and warms up
                    busy_seconds += now - step_started
                trainer.seconds = seconds_before + now - started
                metrics["step_s"] = now - step_started
                run.log_step(metrics)
                if on_step is not None:
                    on_step(trainer.step, metrics)
                if progress is not None:
                    _show(progress, trainer.step, recipe.schedule.steps, metrics)
                out_of_time = max_seconds is not None and now - started > max_seconds
                cancelled = progress is not None and progress.is_cancelled
                stopping = runtime.any_process(out_of_time or cancelled or stop_requested())
                due = run.validation_is_due()
                if stopping or due or trainer.step % recipe.checkpoint_steps == 0:
                    run.save_checkpoint()
                if stopping:
                    break
                if due:
                    run.validate()
            run.save_checkpoint()
        weights = run.save_model(f"{recipe.name}.safetensors")
    except OSError as error:
        where = error.filename2 or error.filename or folder  # the system does not always give a name
        raise RecipeError(f"{where}: cannot be written ({error.strerror or error})") from None
    finally:
        held.close()
    steps_per_s = num_timed / busy_seconds if busy_seconds else 0.0
    return trainer, Outcome(
        step=trainer.step,
        finished=trainer.step >= recipe.schedule.steps,
        seconds=trainer.seconds,
        steps_per_s=steps_per_s,
        pairs_per_s=steps_per_s * recipe.pairs_per_step(runtime.count),
        peak_memory_gb=peak_bytes(runtime.device) / 1e9,
        skipped_steps=trainer.skipped,
        skipped_pictures=len(set(runtime.gather(sorted(run.skipped)))),
        best=run.best,
        weights=weights,
    )


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Within it, SIGTERM and the first SIGINT do not end the process; the yielded function tells whether one came."""
    received: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        if received and number == signal.SIGINT:  # a SIGTERM may be repeated by a scheduler or launcher
            raise KeyboardInterrupt
        received.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _show(progress: Progress, step: int, steps: int, metrics: dict[str, float]) -> None:
    losses = [f"{name} {metrics[name]:.3f}" for name in ("rec", "contrastive", "discriminator") if name in metrics]
    speed = [f"{1 / metrics['step_s']:.2f} steps/s"] if metrics["step_s"] else []
    with suppress(Cancelled):  # the loop stops after it has saved the step
        progress.update(step / steps, "  ".join([f"step {step} of {steps}", *losses, *speed]))


def _state_to_resume(
    recipe: Recipe, folder: Path, accept_changes: bool, on_warning: Callable[[str], None] | None, runtime: Runtime
) -> dict[str, Any]:
    state = read_checkpoint(folder, on_warning if runtime.is_main else None)
    changed = differences(parse_recipe(state["recipe"], str(folder)), recipe)
    before, now = state.get("batch"), recipe.pairs_per_step(runtime.count)
    if before not in (None, now) and not any("batch" in change for change in changed):
        changed.append(f"pairs in a step of all processes: {before} -> {now}")
    if changed and not accept_changes:
        raise RecipeError(
            f"{folder}: the run was started with another recipe ({'; '.join(changed)})",
            "use the old values, or accept the changes",
        )
    return state
