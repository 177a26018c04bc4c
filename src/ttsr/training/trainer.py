"""A run's networks, optimizers and moving average, and the training step."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ttsr.data.sample import Batch
from ttsr.errors import RecipeError
from ttsr.models.config import TTSRConfig
from ttsr.models.correspondence.types import EncodedReference
from ttsr.models.ttsr import TTSR, TTSROutput
from ttsr.system.distributed import Runtime
from ttsr.system.precision import at_least_float32, autocast, fp32_products
from ttsr.training.networks import build_networks
from ttsr.training.objective import Objective
from ttsr.training.optimizer import TrainingOptimizer
from ttsr.training.recipe import Recipe
from ttsr.training.recipe_text import recipe_text

MAX_SKIPPED = 10
"""Steps in a row without a finite loss, each skipped, after which the run stops."""

SUSPECT_SKIPPED = 3
"""One skipped step may be a bad batch; after so many in a row the weights are to blame."""

Part = tuple[Batch, range]
"""A part of a batch, and the numbers of its pairs."""


class Trainer:
    """The state of a run, and the step that advances it.

    Args:
        recipe: the run's.
        runtime: its processes.
        vgg19_file: see `build_networks`.
        state: of a checkpoint to continue from; None for a new run.
        make_network: see `build_networks`.

    Attributes:
        model: the network, with the weights of the last step.
        discriminator: None where the recipe has no adversarial loss.
        average: the moving average of the model's weights.
        step: steps taken.
        seconds: time spent training, in all parts of the run.
        skipped: steps without a finite loss.

    Raises:
        RecipeError: the batch cannot be split evenly, or the weights to start from or `state` are of other networks.
        WeightsError: the weights to start from, or VGG19's, are not found or not downloadable.
    """

    def __init__(
        self,
        recipe: Recipe,
        runtime: Runtime,
        vgg19_file: Path | None = None,
        state: dict[str, Any] | None = None,
        *,
        make_network: Callable[[TTSRConfig], TTSR] = TTSR,
    ) -> None:
        _check_split(recipe, runtime.count)
        self.recipe, self.runtime, self._make_network = recipe, runtime, make_network
        networks = build_networks(
            recipe, runtime.device, vgg19_file, resumed=state is not None, make_network=make_network
        )
        self.model, self.discriminator = networks.model, networks.discriminator
        self.objective = Objective(recipe, networks)
        self.average = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        options = recipe.optimizer
        # With match refinement, the transfer has parameters too: those of the match confidence.
        synthesis = [*self.model.synthesis.parameters(), *self.model.transfer.parameters()]
        groups = [
            {"params": synthesis, "lr": options.lr},
            {"params": list(self.model.extractor.parameters()), "lr": options.extractor_lr},
        ]
        scaled = recipe.engine.precision == "fp16"
        # One optimizer, and so one scale of the loss, for both: in fp16 the extractor's gradients are unscaled too.
        adam = torch.optim.Adam(groups, betas=options.betas)
        self.optimizer = TrainingOptimizer(adam, runtime, scaled=scaled, clip_norm=options.clip_norm)
        self.discriminator_optimizer = None
        if self.discriminator is not None:
            parameters = list(self.discriminator.parameters())
            adam = torch.optim.Adam(parameters, lr=recipe.discriminator.lr, betas=recipe.discriminator.betas)
            self.discriminator_optimizer = TrainingOptimizer(adam, runtime, scaled=scaled)
        self.step, self.seconds, self.skipped, self._skipped_in_a_row = 0, 0.0, 0, 0
        if state is not None:
            self._load_state(state)

    @property
    def is_sound(self) -> bool:
        """Whether the weights are worth saving: finite, and not those that several losses in a row failed with."""
        finite = all(bool(value.isfinite().all()) for value in self.model.state_dict().values())
        return finite and self._skipped_in_a_row < SUSPECT_SKIPPED

    def state(self) -> dict[str, Any]:
        """All that is needed to continue exactly. There is no random state: draws depend on seed and pair numbers."""
        state = {
            "recipe": recipe_text(self.recipe),
            "step": self.step,
            "seconds": self.seconds,
            "skipped": [self.skipped, self._skipped_in_a_row],
            "model": self.model.state_dict(),
            "average": self.average,
            "update": self.optimizer.state(),
        }
        if self.discriminator is not None and self.discriminator_optimizer is not None:
            state |= {
                "discriminator": self.discriminator.state_dict(),
                "adversary": self.discriminator_optimizer.state(),
            }
        return state

    def _load_state(self, state: dict[str, Any]) -> None:
        self.step, self.seconds = state["step"], state["seconds"]
        self.skipped, self._skipped_in_a_row = state["skipped"]
        try:
            self.model.load_state_dict(state["model"])
            self.average = {name: value.to(self.runtime.device) for name, value in state["average"].items()}
            self.optimizer.load_state(state["update"])
            # A run whose losses have changed starts or drops its discriminator here.
            if self.discriminator is not None and self.discriminator_optimizer is not None and "discriminator" in state:
                self.discriminator.load_state_dict(state["discriminator"])
                self.discriminator_optimizer.load_state(state["adversary"])
        except (RuntimeError, ValueError, KeyError) as error:
            last = [type(error).__name__, *str(error).splitlines()][-1].strip()
            raise RecipeError(f"the checkpoint is of other networks than the recipe's ({last})") from error

    def train_step(self, batch: Batch) -> dict[str, float]:
        """One step with this process's share of the batch.

        Returns:
            The losses of the whole batch and other metrics: `gradient` is the gradient's norm, `rate` the factor of
            the learning rate, `relevance` the mean soft attention, `right` the share of anchors matched correctly.

        Raises:
            RecipeError: the loss was not finite for the tenth time in a row.
        """
        schedule = self.recipe.schedule
        factor = schedule.rate_factor(self.step)
        self.optimizer.set_rates(factor, self.recipe.optimizer.lr, self.recipe.optimizer.extractor_lr)
        first = self.step * self.recipe.batch_size + self.runtime.rank * len(batch)
        parts = _split(batch, first, self.recipe.engine.accumulation)
        skipped_before = self._num_skipped()
        with fp32_products(rounded=self.recipe.engine.precision != "fp32"):
            if self.step < schedule.contrastive_steps:
                metrics = self._extractor_step(parts)
            elif self.discriminator_optimizer is None or self.step < schedule.pixel_steps:
                metrics, _ = self._network_step(parts)
            else:
                self.discriminator_optimizer.set_rates(factor, self.recipe.discriminator.lr)
                metrics = self._adversarial_step(parts)
        self._count_if_skipped(self._num_skipped() > skipped_before)
        self._update_average()
        self.step += 1
        return metrics | {"rate": factor}

    def averaged_model(self) -> TTSR:
        """The model with the averaged weights, in eval mode: the result of a run."""
        model = self._make_network(self.recipe.model)
        model.load_state_dict(self.average)
        return model.to(self.runtime.device).eval()

    def _extractor_step(self, parts: Sequence[Part]) -> dict[str, float]:
        metrics = []
        for batch, numbers in parts:
            with self._autocast():
                loss, metrics_of_part = self.objective.extractor_loss(batch, numbers)
            self.optimizer.backward(loss / len(parts))
            metrics.append(metrics_of_part)
        return self.optimizer.step(_mean(metrics))

    def _network_step(
        self, parts: Sequence[Part], forward_pass: tuple[TTSROutput, EncodedReference] | None = None
    ) -> tuple[dict[str, float], list[Tensor]]:
        """Metrics and SR images. `forward_pass`: of the only part, if already done."""
        pixel_only = self.step < self.recipe.schedule.pixel_steps
        metrics, images = [], []
        for batch, numbers in parts:
            with self._autocast():
                output = forward_pass or self.objective.forward(batch)
                loss, metrics_of_part = self.objective.network_loss(batch, numbers, output, pixel_only=pixel_only)
            self.optimizer.backward(loss / len(parts))
            metrics.append(metrics_of_part)
            images.append(at_least_float32(output[0].sr.detach()))
        return self.optimizer.step(_mean(metrics)), images

    def _adversarial_step(self, parts: Sequence[Part]) -> dict[str, float]:
        if not self.recipe.discriminator.first:
            metrics, images = self._network_step(parts)
            return metrics | self._discriminator_steps(parts, images)
        # One forward pass serves both steps if there is one part; the graphs of several would take too much memory.
        if len(parts) == 1:
            with self._autocast():
                forward_pass = self.objective.forward(parts[0][0])
            images = [at_least_float32(forward_pass[0].sr.detach())]
        else:
            forward_pass = None
            with torch.no_grad(), self._autocast():
                images = [at_least_float32(self.objective.forward(batch)[0].sr) for batch, _ in parts]
        metrics = self._discriminator_steps(parts, images)
        return metrics | self._network_step(parts, forward_pass)[0]

    def _discriminator_steps(self, parts: Sequence[Part], images: Sequence[Tensor]) -> dict[str, float]:
        assert self.discriminator_optimizer is not None
        means: dict[str, float] = {}
        for repetition in range(self.recipe.discriminator.steps):
            metrics = []
            for (batch, numbers), sr in zip(parts, images, strict=True):
                with self._autocast():
                    loss, metrics_of_part = self.objective.discriminator_loss(batch, numbers, sr, repetition)
                self.discriminator_optimizer.backward(loss / len(parts))
                metrics.append(metrics_of_part)
            means = self.discriminator_optimizer.step(_mean(metrics), "discriminator_gradient")
        return means

    def _autocast(self) -> AbstractContextManager[object]:
        return autocast(self.recipe.engine.precision, self.runtime.device)

    def _num_skipped(self) -> int:
        optimizers = (self.optimizer, self.discriminator_optimizer)
        return sum(optimizer.num_skipped for optimizer in optimizers if optimizer is not None)

    def _count_if_skipped(self, skipped: bool) -> None:
        self.skipped += skipped
        self._skipped_in_a_row = self._skipped_in_a_row + 1 if skipped else 0
        if self._skipped_in_a_row >= MAX_SKIPPED:
            raise RecipeError(
                f"step {self.step + 1}: the loss was not finite {MAX_SKIPPED} times in a row",
                "resume from the last checkpoint with lower rates, optimizer.clip_norm or engine.precision fp32",
            )

    @torch.no_grad()
    def _update_average(self) -> None:
        # The average follows the first steps closely: their weights are soon outdated.
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step)) if self.recipe.ema else 0.0
        values = [value.detach() for value in self.model.state_dict().values()]
        get_ema_multi_avg_fn(decay)(list(self.average.values()), values, self.step)


def _check_split(recipe: Recipe, num_processes: int) -> None:
    """Check that a batch splits evenly over processes and parts, and its contrastive groups stay whole."""
    num_parts = num_processes * recipe.engine.accumulation
    size, rest = divmod(recipe.batch_size, num_parts)
    if rest:
        raise RecipeError(
            f"{recipe.name}: a batch of {recipe.batch_size} cannot be split evenly over {num_processes} processes x "
            f"{recipe.engine.accumulation} parts",
            f"set batch_size to a multiple of {num_parts}",
        )
    group = recipe.losses.contrastive_group
    if num_parts > 1 and recipe.is_contrastive and size % group:
        raise RecipeError(
            f"{recipe.name}: parts of {size} pairs are no multiple of losses.contrastive_group {group}",
            f"set losses.contrastive_group to a divisor of {size}",
        )


def _split(batch: Batch, first: int, count: int) -> list[Part]:
    """A batch, whose first pair has the number `first`, in `count` parts of equal size."""
    size = len(batch) // count
    if count == 1:
        return [(batch, range(first, first + size))]

    def part(start: int) -> Batch:
        tensors = {f.name: getattr(batch, f.name) for f in fields(batch)}
        cut = {name: value[start : start + size] for name, value in tensors.items() if isinstance(value, Tensor)}
        return replace(batch, **cut)

    return [(part(start), range(first + start, first + start + size)) for start in range(0, count * size, size)]


def _mean(metrics: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([of_part[name] for of_part in metrics]).mean() for name in metrics[0]}
