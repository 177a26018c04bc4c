"""A training run from its first step, or from its last checkpoint, until it is finished or stopped: stage by stage."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ttsr.errors import RecipeError
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.progress import Progress
from ttsr.system.distributed import Runtime
from ttsr.system.folder_lock import lock_folder
from ttsr.system.memory import peak_bytes
from ttsr.training.recipe import Recipe
from ttsr.training.run import write_model
from ttsr.training.stage import named_failures, run_stage
from ttsr.training.stages import begin, holds_run, seconds_of, stage_to_resume, stages_of
from ttsr.training.trainer import Trainer
from ttsr.training.validation import ValidationScore


@dataclass(frozen=True)
class Outcome:
    """How a run ended. Of a run in stages, the step, the speed and the best validation are those of the last that ran.

    Attributes:
        step: steps taken.
        finished: whether these are all steps of the recipe, in all its stages.
        seconds: time spent training, in all stages and parts of the run.
        steps_per_s: in this part, without validations and the start; 0 if it took no more than one step.
        pairs_per_s: the same in pairs, of all processes.
        peak_memory_gb: of this process, or of the GPU.
        skipped_steps: steps without a finite loss, in all parts.
        skipped_pictures: files that could not be used in this part.
        best: the best validation, if there was any.
        weights: the file with the final weights.
        folder: that of the stage, or of a run without stages.
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
    folder: Path


def train(
    recipe: Recipe,
    data: Path,
    folder: Path,
    *,
    mined: Path | None = None,
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

    A stopped and resumed run takes the same steps as one that was never stopped. A recipe's stages are run one after
    the other, each in a folder of its own such as `1-trunk`, from the averaged weights of the one before.

    Args:
        recipe: what to train, and how.
        data: a folder, or a packed file, of what `recipe.pairs` names.
        folder: of the run. Written there: checkpoints, the averaged weights as `NAME.safetensors`, `log.jsonl`,
            TensorBoard's files, `recipe.yaml`, `environment.json`, and with `test_set` `best.safetensors`; of a run in
            stages the weights at its end and `recipe.yaml`, and the rest in the folders of the stages.
        mined: a folder, or a packed file, of pairs that `ttsr pairs` mined, for `recipe.photos.mined_share`; without it
            that share goes to the other pairs.
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
        on_start: called on each process before the first step of each stage.
        on_step: called after each step with its number, from 1, and its metrics: those of `Trainer.train_step`, and
            `step_s`, its time in seconds.
        on_log: called on the main process with step and metrics of each line of the log: the means of those of
            `on_step` over the steps since the line before; and of each validation, its mean `psnr`.
        on_warning: called with a line for each picture that is left out, each unreadable checkpoint, what the weights
            to start from lack or hold beside the networks, data that is waited for, workers that were killed, and
            memory that ran out.

    Raises:
        DataError: the data or the test set is missing or unusable, or away for longer than it is waited for.
        WeightsError: weights to start from, or VGG19's, are not found or not downloadable, or the final weights
            cannot be written.
        RecipeError: nothing to resume, a checkpoint of another recipe, losses that are not finite (the last
            checkpoint is from before), memory ran out, a file cannot be written (the last checkpoint is complete), or
            W&B refuses.
        UserError: another run writes to `folder`.
        Cancelled: `progress` was cancelled during the download of VGG19.
    """
    started, runtime, stages = time.monotonic(), runtime or Runtime("cpu"), stages_of(recipe, folder)
    with ExitStack() as held:
        with runtime.together(), named_failures(folder):
            if runtime.is_main:
                held.enter_context(lock_folder(folder))
            if resume is True:
                resume = holds_run(folder)
            warn = on_warning if on_warning is not None and runtime.is_main else lambda _: None
            position = 0
            if resume:
                position = stage_to_resume(recipe, folder, accept_changes=accept_changes, on_warning=warn)
            seconds = seconds_of(recipe, folder, position)
            if recipe.stages and runtime.is_main:
                begin(recipe, folder, resume=bool(resume))
        at_one_stage = len(set(runtime.gather([position]))) == 1
        with runtime.together():
            if not at_one_stage:
                raise RecipeError(f"{folder}: not all processes find its last checkpoint", "use a shared folder")
        weights, skipped_steps, skipped_pictures = None, 0, set[str]()
        while True:
            stage, stage_folder = stages[position]
            end = run_stage(
                stage,
                data,
                stage_folder,
                weights,
                runtime=runtime,
                mined=mined,
                stop_at=None if max_seconds is None else started + max_seconds,
                resume=resume,
                accept_changes=accept_changes,
                num_workers=num_workers,
                vgg19_file=vgg19_file,
                test_set=test_set,
                make_network=make_network,
                progress=None if progress is None else progress.part(*_span(recipe, position)),
                label=f"{stage.name}, " if recipe.stages else "",
                wandb_project=wandb_project,
                on_start=on_start,
                on_step=on_step,
                on_log=on_log,
                on_warning=on_warning,
            )
            trainer, weights_file = end.trainer, end.weights
            seconds += trainer.seconds
            skipped_steps += trainer.skipped
            skipped_pictures.update(end.skipped_pictures)
            position += 1
            if position == len(stages) or end.stopped:
                break
            weights, resume = trainer.average, False
        finished = position == len(stages) and trainer.step >= stage.schedule.steps
        if recipe.stages and finished:
            weights_file = folder / f"{recipe.name}.safetensors"
            write_model(trainer, weights_file, recipe)
    return trainer, Outcome(
        step=trainer.step,
        finished=finished,
        seconds=seconds,
        steps_per_s=end.steps_per_s,
        pairs_per_s=end.steps_per_s * stage.pairs_per_step(runtime.count),
        peak_memory_gb=peak_bytes(runtime.device) / 1e9,
        skipped_steps=skipped_steps,
        skipped_pictures=len(skipped_pictures),
        best=end.best,
        weights=weights_file,
        folder=stage_folder,
    )


def _span(recipe: Recipe, position: int) -> tuple[float, float]:
    """From which to which fraction of all steps the stage at a position goes."""
    lengths = [stage.schedule.steps for stage in recipe.stages or (recipe,)]
    return sum(lengths[:position]) / sum(lengths), sum(lengths[: position + 1]) / sum(lengths)
