"""How far a forward pass has come."""

from collections.abc import Callable, Sequence

from ttsr.models.config import TTSRConfig
from ttsr.models.correspondence.patches import Grid
from ttsr.models.cost import count

Progress = Callable[[float], None]


class Stages:
    """Turns the stages' progress into the fraction of the whole, by their multiply-adds.

    grids: (H / 4, W / 4) of each reference; encoded: whether their features are there already.
    """

    def __init__(
        self, config: TTSRConfig, lr_grid: Grid, grids: Sequence[Grid], encoded: bool, progress: Progress | None
    ) -> None:
        self.progress = progress
        parts = vars(count(config, lr_grid, list(grids))) | ({"references": 0.0} if encoded else {})
        total, before = sum(parts.values()), 0.0
        self.spans = {}
        for name, part in parts.items():
            self.spans[name] = (before / total, part / total)
            before += part

    def within(self, stage: str, done: float) -> None:
        if self.progress is not None:
            start, length = self.spans[stage]
            self.progress(start + done * length)

    def end(self, stage: str) -> None:
        self.within(stage, 1.0)
