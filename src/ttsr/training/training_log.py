"""The log of a run: `log.jsonl` for programs, TensorBoard's files for people, and W&B where it is asked for."""

import json
import math
import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np

from ttsr.errors import RecipeError
from ttsr.system.files import atomic_path
from ttsr.training.wandb_tracker import WandbTracker


class LogWindow:
    """Means of the metrics since the last line of the log. What a checkpoint holds of it makes resumed lines exact.

    Args:
        latest: names of metrics whose last value counts, instead of the mean.
        state: of the window that a resumed run goes on with.

    Attributes:
        steps: number of steps in the window.
    """

    def __init__(self, latest: Iterable[str], state: Mapping[str, Any] | None = None) -> None:
        self._latest = frozenset(latest)
        self.steps: int = state["steps"] if state else 0
        # Sum and number of the finite values; a mean over a window should survive a single skipped step.
        self._sums: dict[str, list[float]] = {name: [*pair] for name, pair in state["sums"].items()} if state else {}

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds of it."""
        return {"steps": self.steps, "sums": {name: [*pair] for name, pair in self._sums.items()}}

    def add(self, metrics: Mapping[str, float]) -> None:
        """Add the metrics of a step. Not every step has all of them: the mean is over those that do."""
        self.steps += 1
        for name, value in metrics.items():
            total = self._sums.setdefault(name, [0.0, 0])
            if name in self._latest:
                total[:] = [value, 1]
            elif math.isfinite(value):
                total[0] += value
                total[1] += 1

    def means(self) -> dict[str, float]:
        """NaN where no value was finite."""
        return {name: total / count if count else math.nan for name, (total, count) in self._sums.items()}

    def clear(self) -> None:
        """Begin the next window."""
        self.steps, self._sums = 0, {}


class TrainingLog:
    """Metrics of a run after its step `step`. Lines of what a killed run will do again are dropped.

    Args:
        folder: of the run.
        step: the last step taken.
        validated: the last step validated.
        wandb: logs to W&B too, if given.

    Raises:
        RecipeError: TensorBoard is not installed.
        OSError: the log cannot be written.
    """

    def __init__(self, folder: Path, step: int, validated: int, wandb: WandbTracker | None = None) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise RecipeError("training needs TensorBoard", 'pip install "ttsr[train]"') from None
        path = folder / "log.jsonl"
        _drop_later_lines(path, step, validated)
        self._file, self._wandb = path.open("a", encoding="utf-8"), wandb
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def close(self) -> None:
        """Close the files."""
        with ExitStack() as closing:  # all of them, whichever cannot be written
            closing.callback(self._file.close)
            closing.callback(self._board.close)
            if self._wandb is not None:
                closing.callback(self._wandb.close)

    def sync(self) -> None:
        """Have the lines so far on the disk, as the checkpoint that follows them.

        Raises:
            OSError: they cannot be written.
        """
        os.fsync(self._file.fileno())

    def add_metrics(
        self, step: int, metrics: Mapping[str, float], *, under: str = "training", partial: bool = False
    ) -> None:
        """Add a line with these metrics, and a point to each one's curve.

        Args:
            step: the last step that they are of.
            metrics: by name.
            under: of which group: `training`, or another that the line then names as its `kind`.
            partial: of a window that goes on if the run is resumed, which then drops the line.
        """
        kind = ({} if under == "training" else {"kind": under}) | ({"partial": True} if partial else {})
        # JSON has no infinity.
        plain = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        self._file.write(json.dumps({"step": step} | kind | plain) + "\n")
        self._file.flush()
        for name, value in metrics.items():
            self._board.add_scalar(f"{under}/{name}", value, step)
        if self._wandb is not None:
            self._wandb.add_metrics(step, {f"{under}/{name}": value for name, value in metrics.items()})

    def add_picture(self, step: int, name: str, picture: np.ndarray) -> None:
        """Add a picture (H, W, 3) uint8 to TensorBoard's."""
        self._board.add_image(name, picture, step, dataformats="HWC")
        if self._wandb is not None:
            self._wandb.add_picture(step, name, picture)


def _drop_later_lines(log: Path, step: int, validated: int) -> None:
    """Later steps will be taken again, and part of a window goes on. A kill may have cut the last line short."""
    last = {"validation": validated}
    if not log.is_file():
        return
    kept = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if step else []:
        with suppress(ValueError, TypeError, KeyError):
            content = json.loads(line)
            if content["step"] <= last.get(content.get("kind"), step) and not content.get("partial"):
                kept.append(line)
    with atomic_path(log) as temporary:
        temporary.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
