"""The folder that a run lives in: what is written there, and when."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ttsr.errors import RecipeError
from ttsr.system.distributed import Runtime
from ttsr.system.files import atomic_path
from ttsr.training.checkpoint import clear_after, write_checkpoint
from ttsr.training.environment import record_environment
from ttsr.training.recipe import Recipe
from ttsr.training.recipe_text import recipe_text
from ttsr.training.record import Record
from ttsr.training.trainer import Trainer
from ttsr.training.validation import Validation, ValidationScore
from ttsr.weights.metadata import Provenance
from ttsr.weights.saving import save


@contextmanager
def write_errors_named(folder: Path) -> Iterator[None]:
    """What `train` cannot write, as one line with the file, or with the run's folder where the system names none.

    Raises:
        RecipeError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        where = error.filename2 or error.filename or folder
        raise RecipeError(f"{where}: cannot be written ({error.strerror or error})") from None


class Run:
    """A trainer and its folder. Only the main process writes.

    best: the best validation so far. skipped: pictures that this process could not use.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        trainer: Trainer,
        runtime: Runtime,
        say: Callable[[str], None],
        state: dict[str, Any] | None,
    ) -> None:
        """state: of the checkpoint that the run goes on from, or None."""
        self.recipe, self.folder, self.trainer, self.runtime, self.say = recipe, folder, trainer, runtime, say
        self.best = ValidationScore(**state["best"]) if state and state["best"] else None
        self.skipped: set[str] = set()
        self._validated = state["validated"] if state else 0
        self._saved: tuple[int, ValidationScore | None, int] | None = None

    def open(self) -> Record | None:
        """Make the folder ready for the steps to come, and give what to record them with.

        Raises:
            OSError: something cannot be written.
        """
        if not self.runtime.is_main:
            return None
        self.folder.mkdir(parents=True, exist_ok=True)
        clear_after(self.folder, self.trainer.step)
        with atomic_path(self.folder / "recipe.yaml") as temporary:
            temporary.write_text(recipe_text(self.recipe), encoding="utf-8")
        record_environment(self.folder, self.recipe, self.runtime, self.trainer.step)
        return Record(self.folder, self.trainer.step)

    def skip(self, pictures: Iterable[str]) -> None:
        """Say once of each that it is left out."""
        for picture in pictures:
            if picture not in self.skipped:
                self.skipped.add(picture)
                self.say(f"left out: {picture}")

    def owes_validation(self) -> bool:
        """Whether the step that the run is at is to be validated and has not been."""
        step = self.trainer.step
        due = step > 0 and (step % self.recipe.validation_steps == 0 or step == self.recipe.schedule.steps)
        return due and self._validated != step

    def validate(self, validation: Validation, record: Record | None) -> None:
        """Score the model as it stands, and keep it if it is the best so far."""
        self._validated = self.trainer.step
        if not self.trainer.is_sound:
            return
        found = validation(self.trainer, record)
        before = self.best.psnr if self.best and self.best.test_set == found.test_set else -math.inf
        if not found.psnr > before:  # so that nothing becomes the best that is no number
            return
        self.best = found
        with self.runtime.together():
            if self.runtime.is_main:
                provenance = Provenance("trained by ttsr", recipe=recipe_text(self.recipe), licence=self.recipe.licence)
                save(self.trainer.averaged_model(), self.folder / "best.safetensors", provenance=provenance)
        self.save()

    def save(self) -> None:
        """Write a checkpoint, unless there is one of just this, or the weights are not worth it.

        Raises:
            OSError: it cannot be written.
        """
        now = (self.trainer.step, self.best, self._validated)
        with self.runtime.together():
            if self.runtime.is_main and self._saved != now and self.trainer.is_sound:
                best = asdict(self.best) if self.best else None
                state = self.trainer.state() | {"best": best, "validated": self._validated}
                write_checkpoint(self.folder, state, self.recipe.keep)
        self._saved = now
