"""The folders of a run's stages, and which of them a resumed run goes on with."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ttsr.errors import RecipeError
from ttsr.system.files import TEMPORARY, atomic_path
from ttsr.training.checkpoint import discard_after, has_checkpoint, read_checkpoint
from ttsr.training.recipe import Recipe
from ttsr.training.recipe_text import differences, parse_recipe, recipe_text

RECIPE = "recipe.yaml"


def stages_of(recipe: Recipe, folder: Path) -> list[tuple[Recipe, Path]]:
    """The recipe and the folder of each stage, in their order; the run's own where the recipe has no stages."""
    if not recipe.stages:
        return [(recipe, folder)]
    return [(stage, folder / f"{number}-{stage.name}") for number, stage in enumerate(recipe.stages, 1)]


def holds_run(folder: Path) -> bool:
    """Whether there is anything to resume, in the folder or in one of a stage."""
    return has_checkpoint(folder) or any(has_checkpoint(path) for path in _stage_folders(folder))


def stage_to_resume(
    recipe: Recipe,
    folder: Path,
    *,
    accept_changes: bool = False,
    on_warning: Callable[[str], None] = lambda _: None,
) -> int:
    """The position of the last stage that has begun, 0 if none has; those before it are finished.

    A stage without a readable checkpoint begins anew, from the one before; `on_warning` is called with a line.

    Raises:
        RecipeError: the run has other stages, or a finished one was trained by another recipe.
    """
    stages = stages_of(recipe, folder)
    others = {path.name for path in _stage_folders(folder) if has_checkpoint(path)} - {path.name for _, path in stages}
    if recipe.stages and others:
        raise RecipeError(
            f"{folder}: the run has other stages than the recipe ({', '.join(sorted(others))})", "use another folder"
        )
    last = max((position for position, (_, path) in enumerate(stages) if has_checkpoint(path)), default=0)
    while last and not _can_be_read(stages[last][1]):
        on_warning(f"{stages[last][1]}: none of its checkpoints can be read: this stage begins anew")
        last = max(position for position in range(last) if not position or has_checkpoint(stages[position][1]))
    for stage, path in stages[:last]:
        if not (path / RECIPE).is_file():
            continue
        before = parse_recipe((path / RECIPE).read_text(encoding="utf-8"), str(path / RECIPE))
        changed = differences(before, stage, finished=True)
        if changed and not accept_changes:
            raise RecipeError(
                f"{path}: this stage is finished, by another recipe ({'; '.join(changed)})",
                "use the old values, or accept the changes",
            )
    return last


def seconds_of(recipe: Recipe, folder: Path, stage: int) -> float:
    """Time spent training in the stages before this one, as far as it can be read."""
    seconds = 0.0
    for _, path in stages_of(recipe, folder)[:stage]:
        with suppress(RecipeError):
            seconds += read_checkpoint(path)["seconds"]
    return seconds


def begin(recipe: Recipe, folder: Path, *, resume: bool) -> None:
    """Write the recipe of a run in stages; of a new run, set the checkpoints of another in its folder aside.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{TEMPORARY}*"):
        left.unlink()
    if not resume:
        for path in _stage_folders(folder):
            discard_after(path, 0)
    with atomic_path(folder / RECIPE) as temporary:
        temporary.write_text(recipe_text(recipe), encoding="utf-8")


def _can_be_read(run: Path) -> bool:
    try:
        read_checkpoint(run)
    except RecipeError:
        return False
    return True


def _stage_folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("[0-9]*-*") if path.is_dir())
