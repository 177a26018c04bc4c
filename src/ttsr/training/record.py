"""What a run writes down as it goes: `log.jsonl` for programs, TensorBoard's files for people."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ttsr.errors import RecipeError
from ttsr.system.files import atomic_path


class Record:
    """Lines and curves of a run, from a step on; what a killed run wrote of later steps is dropped."""

    def __init__(self, run: Path, step: int) -> None:
        """
        Raises:
            RecipeError: TensorBoard is not installed.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise RecipeError('training needs TensorBoard: pip install "ttsr[train]"') from None
        path = run / "log.jsonl"
        _keep_until(path, step)
        self._log = path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(run / "tensorboard"), purge_step=step + 1)

    def close(self) -> None:
        """No more is written."""
        self._log.close()
        self._board.close()

    def write(self, step: int, figures: Mapping[str, float], *, under: str = "training") -> None:
        """A line of the log with these figures, and a point on each one's curve."""
        kind = {} if under == "training" else {"kind": under}
        # JSON knows no infinity.
        plain = {name: value if math.isfinite(value) else None for name, value in figures.items()}
        self._log.write(json.dumps({"step": step} | kind | plain) + "\n")
        self._log.flush()
        for name, value in figures.items():
            self._board.add_scalar(f"{under}/{name}", value, step)

    def show(self, step: int, name: str, picture: np.ndarray) -> None:
        """A picture (H, W, 3) uint8 among TensorBoard's."""
        self._board.add_image(name, picture, step, dataformats="HWC")


def _keep_until(log: Path, step: int) -> None:
    """Drop the lines of later steps: they will be taken again. A last line may have been cut short by a kill."""
    if not log.is_file():
        return
    kept = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if step else []:
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line)
        except (ValueError, TypeError, KeyError):
            break
    with atomic_path(log) as temporary:
        temporary.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
