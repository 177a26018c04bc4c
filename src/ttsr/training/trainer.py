"""A run's networks, optimizers and moving average, and the training step."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ttsr.data.sample import Batch
from ttsr.errors import RecipeError
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.progress import Progress
from ttsr.system.distributed import Runtime
from ttsr.training.batch_parts import BatchParts
from ttsr.training.networks import build_networks
from ttsr.training.objective import Objective
from ttsr.training.optimizer import TrainingOptimizer
from ttsr.training.optimizer_steps import OptimizerSteps
from ttsr.training.recipe import Recipe
from ttsr.training.recipe_options import DiscriminatorOptions, OptimizerOptions
from ttsr.training.recipe_text import recipe_text

MAX_SKIPPED = 10
"""Steps in a row without a finite loss, each skipped, after which the run stops."""

SUSPECT_SKIPPED = 3
"""One skipped step may be a bad batch; after so many in a row the weights are to blame."""

RATES = ("lr", "extractor_lr", "discriminator_lr")
"""Metrics that are learning rates."""


class Trainer:
    """The state of a run, and the step that advances it.

    Args:
        recipe: the run's.
        runtime: its processes.
        vgg19_file: see `build_networks`, as for `make_network` and `progress`.
        state: of a checkpoint to continue from; None for a new run.
        weights: a state dict of the network to start from instead of what the recipe says, as that of the stage before.
        on_warning: called with a line for what the weights to start from lack or hold beside the networks, and where
            memory runs out.

    Attributes:
        model: the network, with the weights of the last step.
        discriminator: None where the recipe has no adversarial loss.
        average: the moving average of the model's weights.
        parts: those that a batch is computed in.
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
        self.parts = BatchParts(recipe, runtime, on_warning)
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
        self._steps = OptimizerSteps(
            recipe, runtime, self.objective, self.parts, self.optimizer, self.discriminator_optimizer
        )
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
            "parts": self.parts.count,
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
        self.parts.resume(state.get("parts", 1))
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
            matched correctly, `parts` the number of parts where memory has run out.

        Raises:
            RecipeError: the loss was not finite for the tenth time in a row, or memory ran out with the smallest parts
                or while the weights were updated; the state may then be of no use.
        """
        recipe, discriminator_optimizer = self.recipe, self.discriminator_optimizer
        factor = recipe.schedule.rate_factor(self.step)
        self.optimizer.set_rates(factor, recipe.optimizer.lr, recipe.optimizer.extractor_lr)
        optimizers = [optimizer for optimizer in (self.optimizer, discriminator_optimizer) if optimizer is not None]
        skipped_before = sum(optimizer.num_skipped for optimizer in optimizers)
        if discriminator_optimizer is not None:
            discriminator_optimizer.set_rates(factor, recipe.discriminator.lr)
        first = self.num_pairs + self.runtime.rank * len(batch)
        metrics = self._steps.take(batch, self.step, first)
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
        if self.parts.count > recipe.engine.accumulation:
            metrics["parts"] = self.parts.count
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


def _adam(groups: list[dict[str, Any]], options: OptimizerOptions | DiscriminatorOptions) -> torch.optim.Adam:
    return torch.optim.Adam(groups, betas=options.betas, eps=options.eps, weight_decay=options.weight_decay)
