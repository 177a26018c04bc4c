"""The folder of a run: what is written there, and when."""

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ttsr.system.files import atomic_path
from ttsr.training.checkpoint import discard_after, write_checkpoint
from ttsr.training.environment import record_environment
from ttsr.training.recipe import Recipe
from ttsr.training.recipe_text import recipe_text
from ttsr.training.trainer import RATES, Trainer
from ttsr.training.training_log import LogWindow, TrainingLog
from ttsr.training.validation import Validation, ValidationScore
from ttsr.training.wandb_tracker import WandbTracker
from ttsr.weights.provenance import Provenance
from ttsr.weights.saving import save

BEST = "best.safetensors"


class Run:
    """A trainer and its folder, which is prepared for the steps to come. Only the main process writes.

    Args:
        trainer: the run's state.
        folder: where to write.
        state: of the checkpoint that the run continues from, or None.
        validation: None for a run without.
        on_warning: called with a line for each picture that is left out.
        on_log: called with the step and the metrics of each line of the log; of validations with `psnr` alone.
        wandb_project: a project of W&B to log to, or None.
        data_state: what checkpoints hold of the training data.

    Attributes:
        best: the best validation so far.
        skipped: pictures that this process could not use.

    Raises:
        RecipeError: TensorBoard is not installed, or wandb where it is asked for, or it does not begin a run.
        OSError: a file cannot be written.
    """

    def __init__(
        self,
        trainer: Trainer,
        folder: Path,
        state: dict[str, Any] | None,
        validation: Validation | None,
        on_warning: Callable[[str], None] | None,
        on_log: Callable[[int, dict[str, float]], None] | None = None,
        wandb_project: str | None = None,
        data_state: Mapping[str, Any] | None = None,
    ) -> None:
        self.trainer, self.recipe, self.folder, self.runtime = trainer, trainer.recipe, folder, trainer.runtime
        self.best = ValidationScore(**state["best"]) if state and state["best"] else None
        self.skipped: set[str] = set()
        self._validation, self._on_warning, self._on_log = validation, on_warning, on_log
        self._data_state = dict(data_state or {})
        self._validated = state["validated"] if state else 0
        self._saved: tuple[int, ValidationScore | None, int] | None = None
        self._log: TrainingLog | None = None
        self._window = LogWindow(["rate", *RATES], state.get("window") if state else None)
        if self.runtime.is_main:
            folder.mkdir(parents=True, exist_ok=True)
            discard_after(folder, trainer.step)
            with atomic_path(folder / "recipe.yaml") as temporary:
                temporary.write_text(recipe_text(self.recipe), encoding="utf-8")
            record_environment(folder, self.recipe.seed, self.runtime, trainer.step)
            wandb = None
            if wandb_project is not None:
                wandb = WandbTracker(wandb_project, folder, self.recipe.name, asdict(self.recipe), trainer.step)
            self._log = TrainingLog(folder, trainer.step, self._validated, wandb)

    def close(self) -> None:
        """Log the steps since the last line, and close the log."""
        if self._log is not None:
            with closing(self._log):
                if self._window.steps:
                    self._log_window(self._log, partial=True)

    def log_step(self, metrics: dict[str, float]) -> None:
        """Take note of the metrics of the last step, and log their means where a line is due."""
        if self._log is not None:
            self._window.add(metrics)
            if self.trainer.step % self.recipe.log_steps == 0:
                self._log_window(self._log)
                self._window.clear()

    def _log_window(self, log: TrainingLog, *, partial: bool = False) -> None:
        means = self._window.means() | {"seconds": round(self.trainer.seconds, 1)}
        if self.trainer.skipped:
            means["skipped"] = self.trainer.skipped
        log.add_metrics(self.trainer.step, means, partial=partial)
        if self._on_log is not None:
            self._on_log(self.trainer.step, means)

    def skip_pictures(self, pictures: Iterable[str]) -> None:
        """Warn once of each picture that is left out."""
        for picture in pictures:
            if picture not in self.skipped and self._on_warning is not None:
                self._on_warning(f"left out: {picture}")
            self.skipped.add(picture)

    def validation_is_due(self) -> bool:
        """Whether the last step is to be validated and has not been."""
        step = self.trainer.step
        due = step > 0 and (step % self.recipe.validation_steps == 0 or step == self.recipe.schedule.steps)
        return self._validation is not None and due and self._validated != step

    def validate(self) -> None:
        """Score the model, save it, and once more as the best if it is the best so far."""
        self._validated = self.trainer.step
        if self._validation is None or not self.trainer.is_sound:
            return
        score = self._validation(self.trainer, self._log)
        if self._log is not None and self._on_log is not None:
            self._on_log(score.step, {"psnr": score.psnr})
        previous = self.best.psnr if self.best and score.compares_with(self.best) else -math.inf
        if score.psnr > previous:  # never where the score is NaN
            self.best = score
            self.save_model(BEST)
            self.save_checkpoint()
        self.save_model(f"{self.recipe.name}.safetensors")

    def save_checkpoint(self) -> None:
        """Write a checkpoint, unless the state is saved already or its weights are not worth saving.

        Raises:
            OSError: it cannot be written.
        """
        now = (self.trainer.step, self.best, self._validated)
        with self.runtime.together():
            if self.runtime.is_main and self._saved != now and self.trainer.is_sound:
                best = asdict(self.best) if self.best else None
                state = self.trainer.state() | {"best": best, "validated": self._validated}
                state |= {"window": self._window.state(), **self._data_state}
                if self._log is not None:
                    self._log.sync()
                write_checkpoint(self.folder, state, self.recipe.keep)
        self._saved = now

    def save_model(self, name: str) -> Path:
        """Write the averaged model and where it comes from as a file of this name, and return its path.

        Raises:
            WeightsError: it cannot be written, or has values that are not finite.
        """
        path = self.folder / name
        write_model(self.trainer, path, self.recipe)
        return path


def write_model(trainer: Trainer, path: Path, recipe: Recipe) -> None:
    """Write the averaged model and the recipe that made it, which is more than the trainer's for a run in stages.

    Raises:
        WeightsError: it cannot be written, or has values that are not finite.
    """
    with trainer.runtime.together():
        if trainer.runtime.is_main:
            provenance = Provenance("trained by ttsr", recipe=recipe_text(recipe), licence=recipe.licence)
            save(trainer.averaged_model(), path, provenance=provenance)
