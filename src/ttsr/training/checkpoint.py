"""Checkpoints: all that a run needs to go on as if it had never stopped."""

from pathlib import Path
from typing import Any

import torch

from ttsr.errors import RecipeError
from ttsr.files import atomic_path

CHECKPOINT = "checkpoint.pt"
KEYS = {"recipe", "step", "seconds", "model", "average", "optimizer"}


def write_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Replace the folder's checkpoint in one step; a killed run leaves the one before."""
    with atomic_path(folder / CHECKPOINT) as temporary:
        torch.save(state, temporary)


def read_checkpoint(folder: Path) -> dict[str, Any]:
    """The folder's checkpoint.

    Raises:
        RecipeError: there is none, or it cannot be read.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        raise RecipeError(f"{path}: nothing to resume; start without --resume")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise RecipeError(f"{path}: the checkpoint cannot be read ({type(error).__name__})") from error
    if not isinstance(state, dict) or KEYS - state.keys():
        raise RecipeError(f"{path}: is no checkpoint of a training run")
    return state
