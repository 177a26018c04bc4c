"""The training loop: single process, deterministic from the recipe's seed, stops by itself in time."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ttsr.data.cufed import CufedPairs
from ttsr.data.photos import PhotoPairs
from ttsr.data.sample import Batch, Pair, collate
from ttsr.errors import DataError, RecipeError
from ttsr.files import atomic_path
from ttsr.losses.contrastive import contrastive_loss
from ttsr.models.blocks import scale_residuals
from ttsr.models.ttsr import TTSR

from .checkpoint import read_checkpoint, write_checkpoint
from .recipe import Recipe, check_same, parse_recipe, recipe_text
from .schedule import rate

Report = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Outcome:
    """How a run ended: after `step` steps, `finished` or stopped before; `seconds` of training in all its parts."""

    step: int
    finished: bool
    seconds: float


class Trainer:
    """One run: a model, its optimiser and moving average, and how far it has come."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self.recipe, self.device = recipe, device
        torch.manual_seed(recipe.seed)
        self.model = TTSR(recipe.model)
        scale_residuals(self.model, recipe.residual_start)
        self.model.to(device).train()
        self.average = {name: value.clone() for name, value in self.model.state_dict().items()}
        extractor = list(self.model.extractor.parameters())
        synthesis = list(self.model.synthesis.parameters())
        options = recipe.optimizer
        self.rates = (options.lr, options.extractor_lr)
        self.optimizer = torch.optim.Adam(
            [{"params": synthesis, "lr": options.lr}, {"params": extractor, "lr": options.extractor_lr}],
            betas=options.betas,
        )
        self.step, self.seconds = 0, 0.0

    def state(self) -> dict[str, Any]:
        return {
            "recipe": recipe_text(self.recipe),
            "step": self.step,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.step, self.seconds = state["step"], state["seconds"]
        self.model.load_state_dict(state["model"])
        self.average = {name: value.to(self.device) for name, value in state["average"].items()}
        self.optimizer.load_state_dict(state["optimizer"])

    def train_step(self, batch: Batch) -> dict[str, float]:
        """One step; returns its losses."""
        schedule, options = self.recipe.schedule, self.recipe.optimizer
        factor = rate(schedule, self.step)
        for group, base in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = base * factor
        if self.step < schedule.contrastive_steps:
            loss, figures = self._contrastive_only(batch)
        else:
            loss, figures = self._full(batch)
        if not torch.isfinite(loss):
            raise RecipeError(f"step {self.step + 1}: the loss is not finite; resume with lower rates, or clip_norm")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if options.clip_norm:
            norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), options.clip_norm)
            figures["gradient"] = norm
        self.optimizer.step()
        self._update_average()
        self.step += 1
        return {name: float(value) for name, value in figures.items()}

    def _full(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        weights = self.recipe.losses
        features = self.model.encode_reference(batch.ref, batch.ref_blur)
        output = self.model(batch.lr, features, lr_up=batch.lr_up)
        # In [-1, 1], as published: twice the difference in [0, 1].
        rec = 2 * (output.sr - batch.hr).abs().mean()
        loss = weights.rec * rec
        figures = {"rec": rec.detach(), "relevance": output.relevance.detach().mean()}
        if weights.contrastive:
            term, right = contrastive_loss(output.queries, features.keys, batch.to_ref, batch.known, self._generator())
            loss = loss + weights.contrastive * term
            figures |= {"contrastive": term.detach(), "right": right}
        return loss, figures

    def _contrastive_only(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        extractor = self.model.extractor
        term, right = contrastive_loss(
            extractor.coarse(batch.lr_up),
            extractor.coarse(batch.ref_blur),
            batch.to_ref,
            batch.known,
            self._generator(),
        )
        return term, {"contrastive": term.detach(), "right": right}

    def _generator(self) -> torch.Generator:
        """Randomness that depends on seed and step alone, so that a resumed run draws the same."""
        return torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + self.step)

    @torch.no_grad()
    def _update_average(self) -> None:
        # Early on the average follows closely: the first steps say nothing worth remembering.
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step)) if self.recipe.ema else 0.0
        for name, value in self.model.state_dict().items():
            self.average[name].lerp_(value, 1 - decay)

    def averaged_model(self) -> TTSR:
        """The model with the averaged weights, in eval mode: what a run makes."""
        model = TTSR(self.recipe.model)
        model.load_state_dict(self.average)
        return model.to(self.device).eval()


def train(
    recipe: Recipe,
    data: Path,
    folder: Path,
    *,
    device: torch.device,
    max_seconds: float | None = None,
    resume: bool = False,
    num_workers: int = 1,
    report: Report | None = None,
) -> tuple[Trainer, Outcome]:
    """Run a recipe until it is done, or `max_seconds` of this call are up, or SIGTERM or SIGINT comes.

    Writes `checkpoint.pt` and `log.jsonl` into `folder`. A stopped and resumed run takes the same steps as one that was
    never stopped. `report` is called after each step.

    Raises:
        DataError: what is wrong with the data.
        RecipeError: nothing to resume, a checkpoint of another recipe, or a loss that is not finite; the last
            checkpoint is then from before.
    """
    started = time.monotonic()
    trainer = Trainer(recipe, device)
    if resume:
        state = read_checkpoint(folder)
        check_same(parse_recipe(state["recipe"], str(folder)), recipe)
        trainer.load_state(state)
        _forget_after(folder / "log.jsonl", trainer.step)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.yaml").write_text(recipe_text(recipe), encoding="utf-8")
    before = trainer.seconds
    with _stop_requests() as stop_requested, (folder / "log.jsonl").open("a" if resume else "w") as log:
        for batch in _batches(recipe, data, trainer.step, num_workers):
            begun = time.monotonic()
            figures = trainer.train_step(batch.to(device))
            now = time.monotonic()
            trainer.seconds = before + now - started
            figures["step_s"] = now - begun
            if trainer.step % recipe.log_steps == 0:
                log.write(json.dumps({"step": trainer.step, "seconds": round(trainer.seconds, 1)} | figures) + "\n")
                log.flush()
            if report is not None:
                report(trainer.step, figures)
            out_of_time = max_seconds is not None and now - started > max_seconds
            if out_of_time or stop_requested():
                break
            if trainer.step % recipe.checkpoint_steps == 0:
                write_checkpoint(folder, trainer.state())
    write_checkpoint(folder, trainer.state())
    return trainer, Outcome(trainer.step, trainer.step >= recipe.schedule.steps, trainer.seconds)


def _forget_after(log: Path, step: int) -> None:
    """Drop the lines of steps that a killed run took after its last checkpoint: they will be taken again."""
    if not log.is_file():
        return
    kept = []
    for line in log.read_text(errors="replace").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line)
        except ValueError:  # cut short when the run was killed
            break
    with atomic_path(log) as temporary:
        temporary.write_text("".join(line + "\n" for line in kept))


def _batches(recipe: Recipe, data: Path, first_step: int, num_workers: int) -> Iterator[Batch]:
    pairs: Dataset[Pair] = (
        CufedPairs(data, recipe.seed) if recipe.data == "cufed" else PhotoPairs(data, recipe.photos, recipe.seed)
    )
    size = recipe.batch_size
    numbers = [list(range(step * size, (step + 1) * size)) for step in range(first_step, recipe.schedule.steps)]
    loader = DataLoader(
        _Spoken(pairs),
        batch_sampler=numbers,
        collate_fn=_collate,
        num_workers=num_workers,
        prefetch_factor=4 if num_workers else None,
        worker_init_fn=_prepare_worker,
    )
    for batch in loader:
        if isinstance(batch, DataError):
            raise batch
        yield batch


class _Spoken(Dataset[Pair | DataError]):
    """Pairs, or what is wrong with them: raised in a worker, an error would come wrapped in the worker's traceback."""

    def __init__(self, pairs: Dataset[Pair]) -> None:
        self.pairs = pairs

    def __getitem__(self, number: int) -> Pair | DataError:
        try:
            return self.pairs[number]
        except DataError as error:
            return error


def _collate(pairs: list[Pair | DataError]) -> Batch | DataError:
    good = [pair for pair in pairs if isinstance(pair, Pair)]
    return next((pair for pair in pairs if isinstance(pair, DataError)), None) or collate(good)


def _prepare_worker(_: int) -> None:
    torch.set_num_threads(1)
    # Both come to a whole group of processes; the main one decides when to stop, and stops its workers itself.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """While open, SIGTERM and the first SIGINT are noted instead of obeyed, so that the step can end and be saved."""
    noted: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        if noted:
            raise KeyboardInterrupt
        noted.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: bool(noted)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
