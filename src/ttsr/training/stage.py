"""The training loop: a recipe without stages, or one stage, until it is finished or stopped."""

import hashlib
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from torch import Tensor

from ttsr.data.cufed import CufedPairs
from ttsr.data.photos import PhotoPairs
from ttsr.data.sample import Batch
from ttsr.errors import DataError, RecipeError
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.progress import Cancelled, Progress
from ttsr.system.distributed import Runtime
from ttsr.training.checkpoint import read_checkpoint
from ttsr.training.dataloader import load_batches, open_pairs
from ttsr.training.recipe import Recipe
from ttsr.training.recipe_text import differences, parse_recipe
from ttsr.training.run import Run
from ttsr.training.trainer import Trainer
from ttsr.training.validation import Validation, ValidationScore


@dataclass(frozen=True)
class StageEnd:
    """How a stage ended; `stopped` if something asked for it, be it at its last step."""

    trainer: Trainer
    stopped: bool
    steps_per_s: float
    skipped_pictures: list[str]
    best: ValidationScore | None
    weights: Path


def run_stage(
    recipe: Recipe,
    data: Path,
    folder: Path,
    weights: Mapping[str, Tensor] | None,
    *,
    runtime: Runtime,
    mined: Path | None,
    stop_at: float | None,
    resume: bool | Literal["must"],
    accept_changes: bool,
    num_workers: int,
    vgg19_file: Path | None,
    test_set: Path | None,
    make_network: Callable[[TTSRConfig], TTSR],
    progress: Progress | None,
    label: str,
    wandb_project: str | None,
    on_start: Callable[[Trainer], None] | None,
    on_step: Callable[[int, dict[str, float]], None] | None,
    on_log: Callable[[int, dict[str, float]], None] | None,
    on_warning: Callable[[str], None] | None,
) -> StageEnd:
    """`train` for a recipe without stages, from weights or as the recipe says, until `stop_at` of the monotonic clock.

    `label` stands before the step in what `progress` shows.
    """
    started = time.monotonic()
    with named_failures(folder):
        with runtime.together():
            state = _state_to_resume(recipe, folder, accept_changes, on_warning, runtime) if resume else None
            validation = None
            if test_set is not None:
                validation = Validation(test_set, recipe.validation_protocol, recipe.validation_reference)
            pairs = open_pairs(recipe, data, mined)
            if state and not accept_changes:
                _check_data(folder, state, pairs)
            trainer = Trainer(
                recipe,
                runtime,
                vgg19_file,
                state,
                weights=weights,
                make_network=make_network,
                progress=progress,
                on_warning=on_warning if runtime.is_main else None,
            )
        at_one_step = len(set(runtime.gather([trainer.step]))) == 1
        with runtime.together():
            if not at_one_step:
                raise RecipeError(f"{folder}: not all processes find its last checkpoint", "use a shared folder")
            run = Run(trainer, folder, state, validation, on_warning, on_log, wandb_project, _data_state(pairs))
        if on_start is not None:
            on_start(trainer)
        run.skip_pictures(pairs.skipped if runtime.is_main else ())
        stopping, seconds_before, num_timed, busy_seconds = False, trainer.seconds, -1, 0.0
        num_parts = trainer.parts.count
        batch = None
        with closing(run), stop_requests() as signalled:

            def stop_requested() -> bool:
                out_of_time = stop_at is not None and time.monotonic() > stop_at
                return out_of_time or signalled() or (progress is not None and progress.is_cancelled)

            if run.validation_is_due():  # where a resumed run was stopped before it
                run.validate()
            batches = load_batches(
                recipe,
                pairs,
                runtime,
                trainer.step,
                num_workers,
                trainer.num_pairs,
                stop_requested=stop_requested,
                on_warning=on_warning or (lambda _: None),
            )
            with closing(batches):  # whatever happens, its workers end
                while trainer.step < recipe.schedule.steps:
                    step_started = time.monotonic()
                    batch = next(batches)
                    if runtime.any_process(not isinstance(batch, Batch)):
                        break  # where it is a failure, the steps so far are saved too
                    assert isinstance(batch, Batch)
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
                        _show(progress, label, trainer.step, recipe.schedule.steps, metrics)
                    stopping = runtime.any_process(stop_requested())
                    due = run.validation_is_due()
                    # From a step with more parts on, a resumed run takes as many, to be the same to the last bit.
                    saving = trainer.step % recipe.checkpoint_steps == 0 or trainer.parts.count != num_parts
                    num_parts = trainer.parts.count
                    if stopping or due or saving:
                        run.save_checkpoint()
                    if stopping:
                        break
                    if due:
                        run.validate()
            run.save_checkpoint()
            with runtime.together():
                if isinstance(batch, DataError):
                    raise batch
            stopping = runtime.any_process(stopping or stop_requested())
        path = run.save_model(f"{recipe.name}.safetensors")
        skipped_pictures = runtime.gather(sorted(run.skipped))
    steps_per_s = num_timed / busy_seconds if busy_seconds else 0.0
    return StageEnd(trainer, stopping, steps_per_s, skipped_pictures, run.best, path)


@contextmanager
def named_failures(folder: Path) -> Iterator[None]:
    """Within it, a failure of the system to read or write is a `RecipeError` that names the file, or the folder."""
    try:
        yield
    except OSError as error:
        where = error.filename2 or error.filename or folder  # the system does not always give a name
        raise RecipeError(f"{where}: cannot be written ({error.strerror or error})") from None


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


def _show(progress: Progress, label: str, step: int, steps: int, metrics: dict[str, float]) -> None:
    shown = ("rec", "base", "contrastive", "discriminator")
    losses = [f"{name} {metrics[name]:.3f}" for name in shown if name in metrics]
    speed = [f"{1 / metrics['step_s']:.2f} steps/s"] if metrics["step_s"] else []
    with suppress(Cancelled):  # the loop stops after it has saved the step
        progress.update(step / steps, "  ".join([f"{label}step {step} of {steps}", *losses, *speed]))


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


def _data_state(pairs: CufedPairs | PhotoPairs) -> dict[str, Any]:
    """What a checkpoint holds of the training data: with other pictures, a pair's number means another pair."""
    names = "\n".join(pairs.pictures).encode()
    return {"mined": pairs.num_mined, "pictures": [len(pairs.pictures), hashlib.sha256(names).hexdigest()]}


def _check_data(folder: Path, state: dict[str, Any], pairs: CufedPairs | PhotoPairs) -> None:
    now, remedy = _data_state(pairs), "give the same ones, or accept the change"
    before = state.get("mined", 0)
    if before != now["mined"]:
        what = f"the run was started with {before} mined pairs, and now there are {now['mined']}"
        raise RecipeError(f"{folder}: {what}", remedy)
    count, names = state.get("pictures", now["pictures"])  # older checkpoints do not tell
    if names != now["pictures"][1]:
        there = now["pictures"][0]
        what = f"{there} usable ones" if there != count else "others"
        raise RecipeError(
            f"{folder}: the run was started with {count} usable pictures, and now there are {what}", remedy
        )
