"""The log of a run: `log.jsonl` for programs, TensorBoard's files for people."""

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from ttsr.errors import RecipeError
from ttsr.system.files import atomic_path


class TrainingLog:
    """Metrics of a run after its step `step`. Lines of later steps, which a killed run wrote, are dropped.

    Raises:
        RecipeError: TensorBoard is not installed.
        OSError: the log cannot be written.
    """

    def __init__(self, folder: Path, step: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise RecipeError("training needs TensorBoard", 'pip install "ttsr[train]"') from None
        path = folder / "log.jsonl"
        _drop_later_lines(path, step)
        self._file = path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        self._board.close()

    def add_metrics(self, step: int, metrics: Mapping[str, float], *, under: str = "training") -> None:
        """Add a line with these metrics, and a point to each one's curve."""
        kind = {} if under == "training" else {"kind": under}
        # JSON has no infinity.
        plain = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        self._file.write(json.dumps({"step": step} | kind | plain) + "\n")
        self._file.flush()
        for name, value in metrics.items():
            self._board.add_scalar(f"{under}/{name}", value, step)

    def add_picture(self, step: int, name: str, picture: np.ndarray) -> None:
        """Add a picture (H, W, 3) uint8 to TensorBoard's."""
        self._board.add_image(name, picture, step, dataformats="HWC")


def _drop_later_lines(log: Path, step: int) -> None:
    """Later steps will be taken again. The last line may have been cut short by a kill."""
    if not log.is_file():
        return
    kept = []
    with suppress(ValueError, TypeError, KeyError):
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if step else []:
            if json.loads(line)["step"] <= step:
                kept.append(line)
    with atomic_path(log) as temporary:
        temporary.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
