"""`ttsr train`."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ttsr.cli.printing import say, tell
from ttsr.cli.shared_options import DeviceOption
from ttsr.errors import RecipeError
from ttsr.options import DEFAULT_DEVICE

if TYPE_CHECKING:
    from ttsr.training.loop import Outcome
    from ttsr.training.recipe import Recipe

# The run stopped before its end, by --max-time or a signal, and can be resumed.
UNFINISHED = 3


def train(
    recipe: str,
    *overrides: Annotated[str, Parameter(allow_leading_hyphen=True)],
    data: Path,
    out: Path | None = None,
    max_time: str | None = None,
    resume: Annotated[bool, Parameter(negative=())] = False,
    accept_changes: Annotated[bool, Parameter(negative=())] = False,
    validate: Path | None = None,
    vgg19: Path | None = None,
    workers: int = 1,
    device: DeviceOption = DEFAULT_DEVICE,
) -> int:
    """Train a model by a recipe. Leaves with code 3 if it stopped before the end; go on with --resume.

    For several GPUs or hosts: torchrun -m ttsr train ..., or accelerate launch -m ttsr train ...

    Parameters
    ----------
    recipe
        A recipe of the package by name (see ttsr recipes), or a YAML file.
    overrides
        Fields of the recipe that are to be otherwise: --FIELD VALUE, such as --schedule.steps 1000.
    data
        What to train on, as the recipe says: a folder of photos, or of pairs (input/ and ref/), or one that ttsr pack
        made of either.
    out
        The folder for the run: checkpoints, log.jsonl, TensorBoard's files, recipe.yaml, environment.json and the
        model's .safetensors; runs/RECIPE if not given.
    max_time
        Stop and save after this much time: HH:MM:SS, MM:SS or seconds.
    resume
        Go on from the last checkpoint in the folder.
    accept_changes
        Go on even though the recipe is another than the run was started with.
    validate
        A test set in the layout of CUFED5 to score the model on now and then; the best model is kept.
    vgg19
        torchvision's file of VGG19, for recipes that begin with it or judge by it; fetched if not given.
    workers
        Processes that make training pairs, for each training process; 0 makes them between the steps.
    """
    from ttsr.system.distributed import Runtime
    from ttsr.system.files import refuse_overwriting
    from ttsr.training.checkpoint import has_checkpoint
    from ttsr.training.loop import train as run
    from ttsr.training.recipe_text import read_recipe, recipe_text
    from ttsr.training.run import write_errors_named
    from ttsr.weights.metadata import Provenance
    from ttsr.weights.saving import save

    runtime = Runtime(device)
    with runtime.together():
        chosen = read_recipe(recipe, overrides)
        if workers < 0:
            raise RecipeError(f"--workers {workers}: take 0 or more")
        folder = out if out is not None else Path("runs") / chosen.name
        max_seconds = None if max_time is None else parse_time(max_time)
        if not resume:
            if has_checkpoint(folder):
                raise RecipeError(f"{folder}: holds a run already; go on with --resume, or take another --out")
            refuse_overwriting([folder / "recipe.yaml"], [Path(recipe)])
    with _Bar(chosen, shown=runtime.is_main) as bar, write_errors_named(folder):
        trainer, outcome = run(
            chosen,
            data,
            folder,
            runtime=runtime,
            max_seconds=max_seconds,
            resume=resume,
            accept_changes=accept_changes,
            num_workers=workers,
            vgg19_file=vgg19,
            validation=validate,
            report=bar,
            say=say,
        )
    if runtime.is_main:
        file = folder / f"{chosen.name}.safetensors"
        provenance = Provenance(source="trained by ttsr", recipe=recipe_text(chosen), licence=chosen.licence)
        save(trainer.averaged_model(), file, provenance=provenance)
        _tell(chosen, outcome, folder, file)
    runtime.wait()  # a launcher ends the others when the first one leaves with another code than 0
    runtime.close()
    return 0 if outcome.finished else UNFINISHED


def parse_time(text: str) -> float:
    """HH:MM:SS, MM:SS or seconds, to seconds.

    Raises:
        RecipeError: anything else.
    """
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", text):
        raise RecipeError(f"--max-time {text}: write it as HH:MM:SS, MM:SS or seconds")
    seconds = 0.0
    for part in text.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds


def _tell(recipe: "Recipe", outcome: "Outcome", folder: Path, file: Path) -> None:
    hours, minutes = divmod(round(outcome.seconds / 60), 60)
    state = "finished" if outcome.finished else f"stopped, go on with --resume --out {folder}"
    tell(f"{recipe.name}: step {outcome.step} of {recipe.schedule.steps} after {hours} h {minutes} min, {state}")
    steps_per_s = outcome.pairs_per_s / recipe.batch_size
    speed = f"{steps_per_s:.3g} steps/s, {outcome.pairs_per_s:.3g} pairs/s, " if steps_per_s else ""
    tell(f"{speed}{outcome.peak_memory_gb:.2f} GB at most")
    if outcome.skipped_steps:
        tell(f"{outcome.skipped_steps} steps were skipped: their loss was not finite")
    if outcome.skipped_pictures:
        tell(f"{outcome.skipped_pictures} pictures were left out")
    if outcome.best is not None:
        tell(
            f"best validation: {outcome.best.psnr:.2f} dB at step {outcome.best.step}, in {folder / 'best.safetensors'}"
        )
    tell(f"wrote {file}")


class _Bar:
    """Steps, losses, rate and time left on stderr, on a terminal."""

    def __init__(self, recipe: "Recipe", *, shown: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn(recipe.name),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            console=console,
            disable=not (shown and console.is_terminal),
        )
        self._task = self._progress.add_task("", total=recipe.schedule.steps)

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, step: int, figures: dict[str, float]) -> None:
        shown = [f"{name} {figures[name]:.3f}" for name in ("rec", "contrastive", "discriminator") if name in figures]
        rate = f"{1 / figures['step_s']:.2f} steps/s" if figures["step_s"] else ""
        self._progress.update(self._task, completed=step, description="  ".join([*shown, rate]))
