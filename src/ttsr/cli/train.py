"""`ttsr train`."""

import re
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ttsr.cli.printing import say, tell
from ttsr.cli.shared_options import DeviceOption
from ttsr.errors import RecipeError
from ttsr.options import DEFAULT_DEVICE
from ttsr.training.recipe_text import field_descriptions

if TYPE_CHECKING:
    from ttsr.training.loop import Outcome
    from ttsr.training.recipe import Recipe

UNFINISHED = 3
"""Exit code of a run that was stopped before its end, by --max-time or a signal, and can be resumed."""

_EPILOGUE = """\
Exits with code 3 if stopped before the end. For several GPUs or hosts: `torchrun -m ttsr train ...`, or
`accelerate launch -m ttsr train ...`.

Fields of a recipe, for --FIELD VALUE; `ttsr recipes NAME` shows their values:

"""

command = App(
    name="train",
    help_epilogue=_EPILOGUE + "\n".join(f"- `--{name}`: {text}" for name, text in field_descriptions().items()),
)


@command.default
def train(
    recipe: str,
    *overrides: Annotated[str, Parameter(allow_leading_hyphen=True)],
    data: Path,
    out: Path | None = None,
    max_time: str | None = None,
    resume: bool = False,
    accept_changes: bool = False,
    validate: Path | None = None,
    vgg19: Path | None = None,
    workers: int = 1,
    device: DeviceOption = DEFAULT_DEVICE,
) -> int:
    """Train a model by a recipe. Exits with code 3 if stopped before the end.

    Args:
        recipe: A recipe of the package by name (see ttsr recipes), or a YAML file.
        overrides: Fields of the recipe to change, as --FIELD VALUE, such as --schedule.steps 1000; they are listed
            below.
        data: The training data that the recipe asks for: a folder of photos, or of pairs (input/ and ref/), or either
            of them packed by ttsr pack.
        out: The folder of the run: checkpoints, log.jsonl, TensorBoard's files, recipe.yaml, environment.json and the
            model's .safetensors; runs/RECIPE if not given.
        max_time: Stop and save after this much time: HH:MM:SS, MM:SS or seconds.
        resume: Continue from the last checkpoint in the folder.
        accept_changes: Resume even if the recipe differs from the one that the run was started with.
        validate: A test set in the layout of CUFED5, to score the model on regularly; the best model is saved.
        vgg19: torchvision's weights of VGG19, for recipes that start from it or use its features; downloaded if not
            given.
        workers: Processes that make training pairs, for each training process; 0 makes them between the steps.
        device: Where to compute: auto (a GPU if there is one), cpu, cuda, cuda:N for one of several GPUs, or mps.
    """
    from ttsr.cli.bars import progress_bar
    from ttsr.system.distributed import Runtime
    from ttsr.system.files import refuse_overwriting
    from ttsr.training.checkpoint import has_checkpoint
    from ttsr.training.loop import train as run
    from ttsr.training.recipe_text import read_recipe

    runtime = Runtime(device)
    with runtime.together():
        chosen = read_recipe(recipe, overrides)
        if workers < 0:
            raise RecipeError(f"--workers {workers}: take 0 or more")
        folder = out if out is not None else Path("runs") / chosen.name
        max_seconds = None if max_time is None else parse_time(max_time)
        if not resume:
            if has_checkpoint(folder):
                raise RecipeError(f"{folder}: holds a run already", "continue it with --resume, or use another --out")
            refuse_overwriting([folder / "recipe.yaml"], [Path(recipe)])
    with progress_bar(chosen.name, shown=runtime.is_main) as progress:
        _, outcome = run(
            chosen,
            data,
            folder,
            runtime=runtime,
            max_seconds=max_seconds,
            resume=resume,
            accept_changes=accept_changes,
            num_workers=workers,
            vgg19_file=vgg19,
            test_set=validate,
            progress=progress,
            on_warning=say,
        )
    if runtime.is_main:
        _tell(chosen, outcome, folder)
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


def _tell(recipe: "Recipe", outcome: "Outcome", folder: Path) -> None:
    from ttsr.training.run import BEST

    hours, minutes = divmod(round(outcome.seconds / 60), 60)
    state = "finished" if outcome.finished else f"stopped, continue with --resume --out {folder}"
    tell(f"{recipe.name}: step {outcome.step} of {recipe.schedule.steps} after {hours} h {minutes} min, {state}")
    steps_per_s = outcome.pairs_per_s / recipe.batch_size
    speed = f"{steps_per_s:.3g} steps/s, {outcome.pairs_per_s:.3g} pairs/s, " if steps_per_s else ""
    tell(f"{speed}{outcome.peak_memory_gb:.2f} GB of memory at most")
    if outcome.skipped_steps:
        tell(f"{outcome.skipped_steps} steps were skipped: their loss was not finite")
    if outcome.skipped_pictures:
        tell(f"{outcome.skipped_pictures} pictures were left out")
    if outcome.best is not None:
        tell(f"best validation: {outcome.best.psnr:.2f} dB at step {outcome.best.step}, in {folder / BEST}")
    tell(f"wrote {outcome.weights}")
