"""A run's networks, optimizers and moving average, and the training step."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ttsr.data.sample import Batch
from ttsr.errors import RecipeError
from ttsr.models.config import TTSRConfig
from ttsr.models.correspondence.types import EncodedReference
from ttsr.models.output import TTSROutput
from ttsr.models.ttsr import TTSR
from ttsr.progress import Progress
from ttsr.system.distributed import Runtime
from ttsr.system.precision import autocast, fp32_products
from ttsr.training.networks import build_networks
from ttsr.training.objective import Metrics, Objective
from ttsr.training.optimizer import TrainingOptimizer
from ttsr.training.recipe import Recipe
from ttsr.training.recipe_options import DiscriminatorOptions, OptimizerOptions
from ttsr.training.recipe_text import recipe_text

MAX_SKIPPED = 10
"""Steps in a row without a finite loss, each skipped, after which the run stops."""

SUSPECT_SKIPPED = 3
"""One skipped step may be a bad batch; after so many in a row the weights are to blame."""

RATES = ("lr", "extractor_lr", "discriminator_lr")
"""Metrics that are learning rates."""

Part = tuple[Batch, range]
"""A part of a batch, and the numbers of its pairs."""


class Trainer:
    """The state of a run, and the step that advances it.

    Args:
        recipe: the run's.
        runtime: its processes.
        vgg19_file: see `build_networks`, as for `make_network`, `progress` and `on_warning`.
        state: of a checkpoint to continue from; None for a new run.
        weights: a state dict of the network to start from instead of what the recipe says, as that of the stage before.

    Attributes:
        model: the network, with the weights of the last step.
        discriminator: None where the recipe has no adversarial loss.
        average: the moving average of the model's weights.
        step: steps taken.
        num_pairs: pairs taken, by all processes: the number of the next one.
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
        weights: Mapping[str, Tensor] | None = None,
        make_network: Callable[[TTSRConfig], TTSR] = TTSR,
        progress: Progress | None = None,
        on_warning: Callable[[str], None] | None = None,
    ) -> None:
        _check_split(recipe, runtime.count)
        self.recipe, self.runtime, self._make_network = recipe, runtime, make_network
        self.model, self.discriminator, vgg19 = build_networks(
            recipe,
            runtime.device,
            vgg19_file,
            resumed=state is not None or weights is not None,
            make_network=make_network,
            progress=progress,
            on_warning=on_warning,
        )
        if weights is not None:
            self.model.load_state_dict(weights)
        self.objective = Objective(recipe, self.model, self.discriminator, vgg19)
        self.average = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        options = recipe.optimizer
        # With match refinement, the transfer has parameters too: those of the match confidence.
        synthesis = [*self.model.synthesis.parameters(), *self.model.transfer.parameters()]
        groups = [
            {"params": [parameter for parameter in parameters if parameter.requires_grad], "lr": rate}
            for parameters, rate in (
                (synthesis, options.lr),
                (self.model.extractor.parameters(), options.extractor_lr),
            )
        ]
        scaled = recipe.engine.precision == "fp16"
        # One optimizer, and so one scale of the loss, for both: in fp16 the extractor's gradients are unscaled too.
        adam = _adam(groups, options)
        self.optimizer = TrainingOptimizer(adam, runtime, scaled=scaled, clip_norm=options.clip_norm)
        self.discriminator_optimizer = None
        if self.discriminator is not None:
            of_discriminator = {"params": list(self.discriminator.parameters()), "lr": recipe.discriminator.lr}
            adam = _adam([of_discriminator], recipe.discriminator)
            self.discriminator_optimizer = TrainingOptimizer(adam, runtime, scaled=scaled)
        self.step, self.num_pairs, self.seconds, self.skipped, self._skipped_in_a_row = 0, 0, 0.0, 0, 0
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
            "pairs": self.num_pairs,
            "batch": self.recipe.pairs_per_step(self.runtime.count),
            "seconds": self.seconds,
            "skipped": [self.skipped, self._skipped_in_a_row],
            "model": self.model.state_dict(),
            "average": self.average,
            "update": self.optimizer.state(),
        }
        if self.discriminator is not None and self.discriminator_optimizer is not None:
            state["discriminator"] = self.discriminator.state_dict()
            state["adversary"] = self.discriminator_optimizer.state()
        return state

    def _load_state(self, state: dict[str, Any]) -> None:
        self.step, self.seconds = state["step"], state["seconds"]
        self.num_pairs = state.get("pairs", self.step * self.recipe.batch_size)  # of before 0.2
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
        """Take one step with this process's share of the batch.

        Returns:
            The losses of the whole batch and other metrics: `loss` is the network's total and `weighted_NAME` what the
            loss NAME adds to it; `gradient` is the gradient's norm, `lr`, `extractor_lr` and `discriminator_lr` are the
            learning rates and `rate` their factor, `relevance` is the mean soft attention, `right` the share of anchors
            matched correctly.

        Raises:
            RecipeError: the loss was not finite for the tenth time in a row.
        """
        recipe, discriminator_optimizer = self.recipe, self.discriminator_optimizer
        factor = recipe.schedule.rate_factor(self.step)
        self.optimizer.set_rates(factor, recipe.optimizer.lr, recipe.optimizer.extractor_lr)
        optimizers = [optimizer for optimizer in (self.optimizer, discriminator_optimizer) if optimizer is not None]
        skipped_before = sum(optimizer.num_skipped for optimizer in optimizers)
        first = self.num_pairs + self.runtime.rank * len(batch)
        parts = _split(batch, first, recipe.engine.accumulation)
        with fp32_products(rounded=recipe.engine.precision != "fp32"):
            if recipe.trains == "extractor" or self.step < recipe.schedule.contrastive_steps:
                metrics = self._optimize(self.optimizer, self.objective.extractor_loss, parts)
            elif discriminator_optimizer is None or self.step < recipe.schedule.pixel_steps:
                metrics, _ = self._network_step(parts)
            else:
                discriminator_optimizer.set_rates(factor, recipe.discriminator.lr)
                metrics = self._adversarial_step(parts, discriminator_optimizer)
        skipped = sum(optimizer.num_skipped for optimizer in optimizers) > skipped_before
        self.skipped += skipped
        self._skipped_in_a_row = self._skipped_in_a_row + 1 if skipped else 0
        if self._skipped_in_a_row >= MAX_SKIPPED:
            raise RecipeError(
                f"step {self.step + 1}: the loss was not finite {MAX_SKIPPED} times in a row",
                "resume from the last checkpoint with lower rates, optimizer.clip_norm or engine.precision fp32",
            )
        # The average follows the first steps closely: their weights are soon outdated.
        decay = min(recipe.ema, (1 + self.step) / (10 + self.step)) if recipe.ema else 0.0
        with torch.no_grad():
            values = list(self.model.state_dict().values())
            get_ema_multi_avg_fn(decay)(list(self.average.values()), values, self.step)
        self.step += 1
        self.num_pairs += recipe.pairs_per_step(self.runtime.count)
        return metrics | {"rate": factor} | self._learning_rates("discriminator" in metrics)

    def _learning_rates(self, adversarial: bool) -> dict[str, float]:
        groups = [*self.optimizer.optimizer.param_groups]
        if adversarial and self.discriminator_optimizer is not None:
            groups += self.discriminator_optimizer.optimizer.param_groups
        return {name: group["lr"] for name, group in zip(RATES, groups, strict=False)}

    def averaged_model(self) -> TTSR:
        """The model with the averaged weights, in eval mode: the result of a run."""
        model = self._make_network(self.recipe.model)
        model.load_state_dict(self.average)
        return model.to(self.runtime.device).eval()

    def _network_step(
        self, parts: Sequence[Part], forward_pass: tuple[TTSROutput, EncodedReference | None] | None = None
    ) -> tuple[dict[str, float], list[Tensor]]:
        """Metrics, and the images that the discriminator judges. `forward_pass`: of the only part, if already done."""
        pixel_only, images = self.step < self.recipe.schedule.pixel_steps, []

        def loss_of(batch: Batch, numbers: range) -> tuple[Tensor, Metrics]:
            output = forward_pass or self.objective.forward(batch)
            images.append(self.objective.images(output[0]).detach())
            return self.objective.network_loss(batch, numbers, output, pixel_only=pixel_only)

        return self._optimize(self.optimizer, loss_of, parts), images

    def _adversarial_step(self, parts: Sequence[Part], discriminator_optimizer: TrainingOptimizer) -> dict[str, float]:
        alone = self.step < self.recipe.schedule.adversarial_start + self.recipe.discriminator.init_steps
        if not self.recipe.discriminator.first and not alone:
            metrics, images = self._network_step(parts)
            return metrics | self._discriminator_steps(parts, images, discriminator_optimizer)
        # One forward pass serves both steps if there is one part; the graphs of several would take too much memory.
        forward_pass = None
        if len(parts) == 1 and not alone:
            with self._autocast():
                forward_pass = self.objective.forward(parts[0][0])
            images = [self.objective.images(forward_pass[0]).detach()]
        else:
            with torch.no_grad(), self._autocast():
                images = [self.objective.images(self.objective.forward(batch)[0]) for batch, _ in parts]
        metrics = self._discriminator_steps(parts, images, discriminator_optimizer)
        return metrics if alone else metrics | self._network_step(parts, forward_pass)[0]

    def _discriminator_steps(
        self, parts: Sequence[Part], images: Sequence[Tensor], discriminator_optimizer: TrainingOptimizer
    ) -> dict[str, float]:
        with_images = [(*part, of_part) for part, of_part in zip(parts, images, strict=True)]
        metrics: dict[str, float] = {}
        for repetition in range(self.recipe.discriminator.steps):
            loss_of = partial(self.objective.discriminator_loss, repetition=repetition)
            metrics = self._optimize(discriminator_optimizer, loss_of, with_images, "discriminator_gradient")
        return metrics

    def _optimize(
        self,
        optimizer: TrainingOptimizer,
        loss_of: Callable[..., tuple[Tensor, Metrics]],
        parts: Sequence[Iterable[Any]],
        gradient: str = "gradient",
    ) -> dict[str, float]:
        """An optimizer step by the mean loss of the parts, `loss_of(*part)`."""
        metrics = []
        for part in parts:
            with self._autocast():
                loss, metrics_of_part = loss_of(*part)
            optimizer.backward(loss / len(parts))
            metrics.append(metrics_of_part)
        means = {name: torch.stack([of_part[name] for of_part in metrics]).mean() for name in metrics[0]}
        return optimizer.step(means, gradient)

    def _autocast(self) -> AbstractContextManager[object]:
        return autocast(self.recipe.engine.precision, self.runtime.device)


def _adam(groups: list[dict[str, Any]], options: OptimizerOptions | DiscriminatorOptions) -> torch.optim.Adam:
    return torch.optim.Adam(groups, betas=options.betas, eps=options.eps, weight_decay=options.weight_decay)


def _check_split(recipe: Recipe, num_processes: int) -> None:
    """Check that a batch splits evenly over processes and parts, and its contrastive groups stay whole."""
    shared = recipe.batch_per == "run"
    num_parts = recipe.engine.accumulation * (num_processes if shared else 1)
    size, rest = divmod(recipe.batch_size, num_parts)
    if rest:
        over = f"{num_processes} processes x {recipe.engine.accumulation} parts"
        raise RecipeError(
            f"{recipe.name}: a batch of {recipe.batch_size} cannot be split evenly over "
            f"{over if shared else f'{num_parts} parts'}",
            f"set batch_size to a multiple of {num_parts}" + (", or batch_per to process" if shared else ""),
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
    tensors = {name: value for name, value in vars(batch).items() if isinstance(value, Tensor)}
    parts = []
    for start in range(0, count * size, size):
        part = replace(batch, **{name: value[start : start + size] for name, value in tensors.items()})
        parts.append((part, range(first + start, first + start + size)))
    return parts
