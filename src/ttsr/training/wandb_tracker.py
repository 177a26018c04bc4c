"""Weights & Biases as a tracker of a run."""

import secrets
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ttsr.errors import RecipeError

_ID = "wandb-id"


class WandbTracker:
    """A run in a project of W&B. A resumed run goes on with the same curves; its id is kept in the folder.

    W&B takes steps in rising order only: those that a killed run takes again keep the values they had.

    Args:
        project: W&B's, made where there is none.
        folder: of the run.
        name: shown for the run.
        config: the recipe, as W&B shows and compares it.
        step: steps taken; with 0 a new run of W&B begins.

    Raises:
        RecipeError: wandb is not installed, or does not begin a run.
        OSError: the folder cannot be written to.
    """

    def __init__(self, project: str, folder: Path, name: str, config: Mapping[str, Any], step: int) -> None:
        try:
            wandb = import_module("wandb")
        except ImportError:
            raise RecipeError("tracking by W&B needs wandb", 'pip install "ttsr[wandb]"') from None
        file = folder / _ID
        if not step or not file.is_file():
            file.write_text(secrets.token_hex(4) + "\n")
        run_id = file.read_text().strip()
        try:
            self._run = wandb.init(
                project=project, name=name, id=run_id, resume="allow", dir=str(folder), config=dict(config)
            )
        except Exception as error:  # its kinds differ between versions
            text = " ".join(str(error).split())
            raise RecipeError(f"W&B: {text}", "log in by `wandb login`, or set WANDB_MODE=offline") from error
        self._image = wandb.Image

    def add_metrics(self, step: int, metrics: Mapping[str, float]) -> None:
        """Add a point to each one's curve."""
        self._run.log(dict(metrics), step=step)

    def add_picture(self, step: int, name: str, picture: np.ndarray) -> None:
        """Add a picture (H, W, 3) uint8."""
        self._run.log({name: self._image(picture)}, step=step)

    def close(self) -> None:
        """Finish W&B's run, which waits for the upload."""
        self._run.finish()
