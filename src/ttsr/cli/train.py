"""`ttsr train`."""

import re
import sys
from datetime import timedelta
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from ttsr.cli.examples import examples
from ttsr.cli.printing import say, tell
from ttsr.cli.recipe_help import field_list
from ttsr.cli.shared_options import DeviceOption
from ttsr.errors import RecipeError
from ttsr.options import DEFAULT_DEVICE

if TYPE_CHECKING:
    from ttsr.training.loop import Outcome
    from ttsr.training.recipe import Recipe
    from ttsr.training.trainer import Trainer

UNFINISHED = 3
"""Exit code of a run that was stopped before its end, by --max-time or a signal, and can be resumed."""

_EPILOGUE = """\
Exits with code 3 if stopped before the end. For several GPUs or hosts: `torchrun -m ttsr train ...`,
`accelerate launch -m ttsr train ...`, or under Slurm `srun ttsr train ...`.

Fields of a recipe, for --FIELD VALUE. The defaults hold where a recipe does not say; `ttsr recipes NAME` shows the
values of one:"""

command = App(
    name="train",
    help_epilogue="\n\n".join([examples("train"), _EPILOGUE, field_list()]),
)


@command.default
def train(
    recipe: str,
    *overrides: Annotated[str, Parameter(allow_leading_hyphen=True)],
    data: Path,
    mined: Path | None = None,
    out: Path | None = None,
    max_time: str | None = None,
    resume: Literal["auto", "must"] | None = None,
    accept_changes: bool = False,
    validate: Path | None = None,
    vgg19: Path | None = None,
    workers: int = 1,
    wandb: str | None = None,
    device: DeviceOption = DEFAULT_DEVICE,
) -> int:
    """Train a model by a recipe. Exits with code 3 if stopped before the end.

    Args:
        recipe: A recipe of the package by name (see ttsr recipes), or a YAML file.
        overrides: Fields of the recipe to change, as --FIELD VALUE, such as --schedule.steps 1000; they are listed
            below.
        data: The training data that the recipe asks for: a folder of photos, or of pairs (input/ and ref/, or CUFED
            with train/input/ and train/ref/), or a ZIP of either, as ttsr pack writes it or CUFED is downloaded.
        mined: Pairs that ttsr pairs mined, in a folder or a ZIP, to mix into those made from photos, by
            photos.mined_share.
        out: The folder of the run: checkpoints, log.jsonl, TensorBoard's files, recipe.yaml, environment.json and the
            model's .safetensors, and the stages' folders of a recipe that has stages; runs/RECIPE if not given.
        max_time: Stop and save after this much time: HH:MM:SS, MM:SS or seconds.
        resume: Continue from the last checkpoint in the folder. Without a value, or with auto, start where there is
            none, so that one command line serves the start and every restart; with must, refuse.
        accept_changes: Resume even if the recipe differs from the one that the run was started with.
        validate: A test set in the layout of CUFED5, or CUFED with CUFED5 in it, to score the model on regularly; the
            best model is saved.
        vgg19: torchvision's weights of VGG19, for recipes that start from it or use its features; downloaded if not
            given.
        workers: Processes that make training pairs, for each training process; 0 makes them between the steps.
        wandb: A project of Weights & Biases to log to, beside TensorBoard (pip install "ttsr[wandb]").
        device: Where to compute: auto (a GPU if there is one), cpu, cuda, cuda:N for one of several GPUs, or mps.
    """
    from ttsr.cli.bars import progress_bar
    from ttsr.system.distributed import Runtime
    from ttsr.system.files import refuse_overwriting
    from ttsr.training.loop import train as run
    from ttsr.training.recipe_text import read_recipe
    from ttsr.training.stages import holds_run

    runtime = Runtime(device)
    with runtime.together():
        chosen = read_recipe(recipe, overrides)
        if workers < 0:
            raise RecipeError(f"--workers {workers}: take 0 or more")
        if mined is not None and not any(stage.takes_mined for stage in chosen.stages or (chosen,)):
            raise RecipeError(f"--mined {mined}: the recipe takes no mined pairs", "set --photos.mined_share")
        folder = out if out is not None else Path("runs") / chosen.name
        max_seconds = None if max_time is None else parse_time(max_time)
        if resume is None:
            if holds_run(folder):
                raise RecipeError(f"{folder}: holds a run already", "continue it with --resume, or use another --out")
            refuse_overwriting([folder / "recipe.yaml"], [Path(recipe)])
    lines = _Lines(chosen.name)
    with progress_bar(chosen.name, shown=runtime.is_main) as progress:
        trainer, outcome = run(
            chosen,
            data,
            folder,
            runtime=runtime,
            mined=mined,
            max_seconds=max_seconds,
            resume="must" if resume == "must" else resume is not None,
            accept_changes=accept_changes,
            num_workers=workers,
            vgg19_file=vgg19,
            test_set=validate,
            progress=progress,
            wandb_project=wandb,
            on_start=lines.begin if runtime.is_main else None,
            on_log=None if sys.stderr is not None and sys.stderr.isatty() else lines.add,
            on_warning=say,
        )
    if runtime.is_main:
        _tell(chosen, trainer.recipe, outcome, folder)
    runtime.wait()  # a launcher ends the others when the first one leaves with another code than 0
    runtime.close()
    return 0 if outcome.finished else UNFINISHED


def parse_time(text: str) -> float:
    """Seconds of a time written as HH:MM:SS, MM:SS or seconds.

    Raises:
        RecipeError: it is written otherwise.
    """
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", text):
        raise RecipeError(f"--max-time {text}: not a time", "write it as HH:MM:SS, MM:SS or seconds")
    return reduce(lambda seconds, part: 60 * seconds + float(part), text.split(":"), 0.0)


class _Lines:
    """What is said during a run: of the start of each stage, and of each line of the log where no bar is drawn.

    Args:
        name: of the run's recipe; a stage's name follows it.
    """

    def __init__(self, name: str) -> None:
        self._run = self._name = name
        self._steps = 0

    def begin(self, trainer: "Trainer") -> None:
        """What a step consists of, which depends on how many processes there are."""
        recipe, count = trainer.recipe, trainer.runtime.count
        self._steps = recipe.schedule.steps
        self._name = self._run if recipe.name == self._run else f"{self._run}, {recipe.name}"
        num_pairs = recipe.pairs_per_step(count)
        split = f" = {count} processes x {num_pairs // count}" if count > 1 else ""
        begin = f"continues after step {trainer.step}" if trainer.step else "starts"
        tell(f"{self._name}: {begin}, {num_pairs} pairs a step{split} (batch_per: {recipe.batch_per})")

    def add(self, step: int, metrics: dict[str, float]) -> None:
        """Progress as a line."""
        if "psnr" in metrics:
            say(f"{self._name}: step {step} of {self._steps}: validation {metrics['psnr']:.2f} dB")
            return
        rates = ("rate", "lr", "extractor_lr", "discriminator_lr")
        left = timedelta(seconds=round(metrics["step_s"] * (self._steps - step)))
        hidden = ("step_s", "seconds", "skipped", "gradient", "discriminator_gradient", *rates)
        losses = [f"{n} {v:.4g}" for n, v in metrics.items() if n not in hidden and not n.startswith("weighted_")]
        speed = [f"lr {metrics['lr']:.3g}", f"{metrics['step_s']:.3g} s a step", f"{left} left"]
        say(f"{self._name}: step {step} of {self._steps}: {', '.join(losses + speed)}")


def _tell(recipe: "Recipe", stage: "Recipe", outcome: "Outcome", folder: Path) -> None:
    from ttsr.training.run import BEST

    hours, minutes = divmod(round(outcome.seconds / 60), 60)
    state = "finished" if outcome.finished else f"stopped, continue with --resume --out {folder}"
    name = f"{recipe.name}, {stage.name}" if recipe.stages else recipe.name
    tell(f"{name}: step {outcome.step} of {stage.schedule.steps} after {hours} h {minutes} min, {state}")
    speed = f"{outcome.steps_per_s:.3g} steps/s, {outcome.pairs_per_s:.3g} pairs/s, " if outcome.steps_per_s else ""
    tell(f"{speed}{outcome.peak_memory_gb:.2f} GB of memory at most")
    if outcome.skipped_steps:
        tell(f"{outcome.skipped_steps} steps were skipped: their loss was not finite")
    if outcome.skipped_pictures:
        tell(f"{outcome.skipped_pictures} pictures were left out")
    if outcome.best is not None:
        tell(f"best validation: {outcome.best.psnr:.2f} dB at step {outcome.best.step}, in {outcome.folder / BEST}")
        if stage.losses.adversarial:
            early = outcome.best.step <= stage.schedule.pixel_steps
            when = ", from before the adversarial loss" if early else ""
            tell(f"that is the best PSNR{when}; the result of the GAN is the last step")
    tell(f"wrote {outcome.weights}, the last step")
