"""`ttsr train`."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ttsr.errors import RecipeError
from ttsr.inference.choices import Device

if TYPE_CHECKING:
    from ttsr.training.recipe import Recipe

# The run stopped before its end, by --max-time or a signal, and can be resumed.
UNFINISHED = 3


def train(
    recipe: str,
    *,
    data: Path,
    out: Path | None = None,
    max_time: str | None = None,
    resume: Annotated[bool, Parameter(negative=())] = False,
    steps: int | None = None,
    workers: int = 1,
    device: Device = "auto",
) -> int:
    """Train a model by a recipe. Leaves with code 3 if it stopped before the end; go on with --resume.

    Parameters
    ----------
    recipe
        A recipe of the package by name (ttsr-lite, debug), or a YAML file.
    data
        The folder to train on: photos, or pairs in CUFED's layout (input/ and ref/), as the recipe says.
    out
        The folder for checkpoint.pt, log.jsonl, recipe.yaml and the model's .safetensors; runs/RECIPE if not given.
    max_time
        Stop and save after this much time: HH:MM:SS, MM:SS or seconds.
    resume
        Go on from the checkpoint in the folder.
    steps
        Another length than the recipe's; the learning rate falls at the new end.
    workers
        Processes that make training pairs; 0 makes them between the steps.
    device
        Where to train; auto takes a GPU if there is one.
    """
    from dataclasses import replace

    from ttsr.inference.device import choose_device
    from ttsr.training.loop import train as run
    from ttsr.training.recipe import read_recipe, recipe_text
    from ttsr.weights.metadata import Provenance
    from ttsr.weights.saving import save

    chosen = read_recipe(recipe)
    if steps is not None:
        if steps < 1:
            raise RecipeError(f"--steps {steps}: take at least one")
        chosen = replace(chosen, schedule=replace(chosen.schedule, steps=steps))
    if workers < 0:
        raise RecipeError(f"--workers {workers}: take 0 or more")
    folder = out if out is not None else Path("runs") / chosen.name
    max_seconds = None if max_time is None else parse_time(max_time)
    if not resume and (folder / "checkpoint.pt").exists():
        raise RecipeError(f"{folder}: holds a run already; go on with --resume, or name another folder with --out")
    with _Bar(chosen) as bar:
        try:
            trainer, outcome = run(
                chosen,
                data,
                folder,
                device=choose_device(device),
                max_seconds=max_seconds,
                resume=resume,
                num_workers=workers,
                report=bar,
            )
        except OSError as error:
            raise RecipeError(f"{error.filename or folder}: cannot be written ({error.strerror or error})") from None
    file = folder / f"{chosen.name}.safetensors"
    provenance = Provenance(source="trained by ttsr", recipe=recipe_text(chosen), licence=chosen.licence)
    save(trainer.averaged_model(), file, provenance=provenance)
    hours, minutes = divmod(round(outcome.seconds / 60), 60)
    state = "finished" if outcome.finished else f"stopped, go on with --resume --out {folder}"
    print(f"{chosen.name}: step {outcome.step} of {chosen.schedule.steps} after {hours} h {minutes} min, {state}")
    print(f"wrote {file}")
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


class _Bar:
    """Steps, losses and time left on stderr, on a terminal."""

    def __init__(self, recipe: "Recipe") -> None:
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
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=recipe.schedule.steps)

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, step: int, figures: dict[str, float]) -> None:
        shown = "  ".join(f"{name} {figures[name]:.3f}" for name in ("rec", "contrastive", "step_s") if name in figures)
        self._progress.update(self._task, completed=step, description=shown)
