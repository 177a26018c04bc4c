"""Checkpoints: everything that a run needs to continue exactly."""

import re
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import torch

from ttsr.errors import RecipeError, WeightsError
from ttsr.system.files import TEMPORARY, atomic_path
from ttsr.weights.pytorch_file import read_pytorch_file

_FOLDER = "checkpoints"
_KEYS = {"recipe", "step", "seconds", "skipped", "model", "average", "update", "best", "validated"}


def write_checkpoint(run: Path, state: dict[str, Any], keep: int) -> None:
    """Add a checkpoint to a run's folder, completely or not at all, and remove all but the `keep` latest and the best.

    Args:
        run: the folder.
        state: of `Trainer.state`, with `best` and `validated`.
        keep: number of latest checkpoints that stay.

    Raises:
        OSError: it cannot be written; earlier ones are unchanged.
    """
    target = run / _FOLDER / f"step-{state['step']:08d}.pt"
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary, temporary.open("wb") as file:
        torch.save(state, file)  # given a name, a full disk would not be an OSError
    best = state["best"]["step"] if state["best"] else None
    for step, path in _checkpoints(run)[:-keep]:
        if step != best and path.is_file():
            path.unlink()


def has_checkpoint(run: Path) -> bool:
    """Whether there is anything to resume."""
    return bool(_checkpoints(run))


def read_checkpoint(run: Path, on_warning: Callable[[str], None] | None = None) -> dict[str, Any]:
    """The newest checkpoint that can be read; `on_warning` is called for each that cannot.

    Raises:
        RecipeError: there is none.
    """
    checkpoints = _checkpoints(run)
    if not checkpoints:
        raise RecipeError(f"{run}: nothing to resume", "start a new run")
    for _, path in reversed(checkpoints):
        state, problem = _read(path)
        if state is not None:
            return state
        if on_warning is not None:
            on_warning(f"{path}: {problem}, passed over for the one before")
    raise RecipeError(f"{run / _FOLDER}: all checkpoints are unreadable", "start a new run in another folder")


def _read(path: Path) -> tuple[dict[str, Any] | None, str]:
    """What it holds, or None and what is wrong with it."""
    try:
        state = read_pytorch_file(path)  # which compares the checksums, unlike PyTorch
    except WeightsError as error:
        return None, f"unreadable ({error.what.removeprefix(f'{path}: ')})"
    except OSError as error:
        return None, f"unreadable ({error.strerror})"
    if isinstance(state, dict) and state.keys() >= _KEYS:
        return state, ""
    return None, "not a checkpoint of a run"


def discard_after(run: Path, step: int) -> None:
    """Rename unreadable checkpoints of later steps to `.unusable`, and remove temporary files of a killed run."""
    for later, path in _checkpoints(run):
        if later > step:
            path.replace(_free_name(path))
    for folder in (run, run / _FOLDER):
        for left in folder.glob(f"{TEMPORARY}*"):
            left.unlink()


def _free_name(path: Path) -> Path:
    names = (path.with_suffix(f".unusable{number or ''}") for number in count())
    return next(name for name in names if not name.exists())


def _checkpoints(run: Path) -> list[tuple[int, Path]]:
    """Step and path of each, in rising order."""
    named = ((re.fullmatch(r"step-(\d+)\.pt", path.name), path) for path in (run / _FOLDER).glob("step-*.pt"))
    return sorted((int(match[1]), path) for match, path in named if match)
