"""Checkpoints: all that a run needs to go on as if it had never stopped."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ttsr.errors import RecipeError
from ttsr.system.files import TEMPORARY, atomic_path

_FOLDER = "checkpoints"
_KEYS = {"recipe", "step", "seconds", "skipped", "model", "average", "update", "best", "validated"}


def write_checkpoint(run: Path, state: dict[str, Any], keep: int) -> None:
    """Add the checkpoint of `state["step"]`, whole or not at all; the last `keep` stay, and the best one.

    Raises:
        OSError: it cannot be written; those from before are as they were.
    """
    target = run / _FOLDER / f"step-{state['step']:08d}.pt"
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary, temporary.open("wb") as file:
        torch.save(state, file)  # given a name, a full disk would not be an OSError
    best = state["best"]["step"] if state["best"] else None
    for step, path in _checkpoints(run)[:-keep]:
        if step != best:
            path.unlink()


def has_checkpoint(run: Path) -> bool:
    """Whether there is anything to resume."""
    return bool(_checkpoints(run))


def read_checkpoint(run: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """The newest checkpoint that can be read; `say` is told of those that cannot and are passed over.

    Raises:
        RecipeError: there is none.
    """
    found = _checkpoints(run)
    if not found:
        raise RecipeError(f"{run}: nothing to resume; start without --resume")
    for _, path in reversed(found):
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            say(f"{path}: cannot be read ({type(error).__name__}), passed over for the one before")
            continue
        if isinstance(state, dict) and not _KEYS - state.keys():
            return state
        say(f"{path}: is no checkpoint of a training run, passed over for the one before")
    raise RecipeError(f"{run / _FOLDER}: none of the checkpoints can be read; start anew with another --out")


def clear_after(run: Path, step: int) -> None:
    """Put aside, as `.unusable`, the checkpoints of later steps, which could not be read; and drop what a kill left."""
    for later, path in _checkpoints(run):
        if later > step:
            path.replace(path.with_suffix(".unusable"))
    for left in (run / _FOLDER).glob(f"{TEMPORARY}*"):
        left.unlink()


def _checkpoints(run: Path) -> list[tuple[int, Path]]:
    """Step and path of each, in rising order."""
    named = ((re.fullmatch(r"step-(\d+)\.pt", path.name), path) for path in (run / _FOLDER).glob("step-*.pt"))
    return sorted((int(match[1]), path) for match, path in named if match)
