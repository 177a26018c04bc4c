"""One run's networks, optimisers and moving average, and the step that moves them on."""

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
from ttsr.losses.adversarial import discriminator_loss
from ttsr.models.config import TTSRConfig
from ttsr.models.correspondence.types import EncodedReference
from ttsr.models.ttsr import TTSR, TTSROutput
from ttsr.system.distributed import Runtime
from ttsr.system.precision import at_least_float32, autocast, fp32_products
from ttsr.training.draws import draw_mixture
from ttsr.training.networks import build_networks
from ttsr.training.objective import Objective
from ttsr.training.recipe import Recipe
from ttsr.training.recipe_text import recipe_text
from ttsr.training.schedule import rate
from ttsr.training.update import Update

# So many steps in a row may give no finite loss; each is skipped.
MOST_SKIPPED = 10
# One may be a bad batch; after so many in a row it is the weights.
SUSPECT_SKIPPED = 3


class Trainer:
    """A run as far as it has come: `step` steps, of which `skipped` gave no finite loss."""

    def __init__(
        self,
        recipe: Recipe,
        runtime: Runtime,
        vgg19_file: Path | None = None,
        state: dict[str, Any] | None = None,
        *,
        make_network: Callable[[TTSRConfig], TTSR] = TTSR,
    ) -> None:
        """The run before its first step, or where `state()` was taken. `make_network`: see `build_networks`.

        Raises:
            RecipeError: the batch cannot be shared out, or weights to begin with or `state` are of other networks.
            WeightsError: weights to begin with, or VGG19's, cannot be had.
        """
        parts = runtime.count * recipe.engine.accumulation
        if recipe.batch_size % parts:
            raise RecipeError(
                f"{recipe.name}: a batch of {recipe.batch_size} cannot be shared out evenly among {runtime.count} "
                f"processes x {recipe.engine.accumulation} parts; set --batch_size to a multiple of {parts}"
            )
        alone = recipe.batch_size // parts % recipe.losses.contrastive_group == 0
        if parts > 1 and recipe.is_contrastive and not alone:
            raise RecipeError(
                f"{recipe.name}: {recipe.batch_size // parts} pairs a part are no multiple of losses.contrastive_group "
                f"{recipe.losses.contrastive_group}; set --losses.contrastive_group to a divisor"
            )
        self.recipe, self.runtime, self._make_network = recipe, runtime, make_network
        networks = build_networks(
            recipe, runtime.device, vgg19_file, begun=state is not None, make_network=make_network
        )
        self.model, self.discriminator = networks.model, networks.discriminator
        self.objective = Objective(recipe, networks)
        self.average = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        options = recipe.optimizer
        synthesis = {"params": list(self.model.synthesis.parameters()), "lr": options.lr}
        extractor = {"params": list(self.model.extractor.parameters()), "lr": options.extractor_lr}
        # One optimiser, and so one scale of the gradient, for both: in fp16 the extractor's must be unscaled too.
        self.update = Update(
            torch.optim.Adam([synthesis, extractor], betas=options.betas),
            runtime,
            scaled=recipe.engine.precision == "fp16",
            clip_norm=options.clip_norm,
        )
        self.adversary = None
        if self.discriminator is not None:
            parameters = list(self.discriminator.parameters())
            adam = torch.optim.Adam(parameters, lr=recipe.discriminator.lr, betas=recipe.discriminator.betas)
            self.adversary = Update(adam, runtime, scaled=recipe.engine.precision == "fp16")
        self.step, self.seconds, self.skipped, self._skipped_in_a_row = 0, 0.0, 0, 0
        if state is not None:
            self._load_state(state)

    @property
    def is_sound(self) -> bool:
        """Whether the weights are worth keeping: finite, and not what several losses in a row failed with."""
        finite = all(bool(value.isfinite().all()) for value in self.model.state_dict().values())
        return finite and self._skipped_in_a_row < SUSPECT_SKIPPED

    def state(self) -> dict[str, Any]:
        """All that the run needs to go on as if it had never stopped; pairs and draws need but the step."""
        updates = {"update": self.update.state()} | ({"adversary": self.adversary.state()} if self.adversary else {})
        adversary = {"discriminator": self.discriminator.state_dict()} if self.discriminator else {}
        return {
            "recipe": recipe_text(self.recipe),
            "step": self.step,
            "seconds": self.seconds,
            "skipped": [self.skipped, self._skipped_in_a_row],
            "model": self.model.state_dict(),
            "average": self.average,
            **updates,
            **adversary,
        }

    def _load_state(self, state: dict[str, Any]) -> None:
        self.step, self.seconds = state["step"], state["seconds"]
        self.skipped, self._skipped_in_a_row = state["skipped"]
        try:
            self.model.load_state_dict(state["model"])
            self.average = {name: value.to(self.runtime.device) for name, value in state["average"].items()}
            self.update.load_state(state["update"])
            # A run that has changed its losses begins or drops its adversary here.
            if self.discriminator is not None and self.adversary is not None and "discriminator" in state:
                self.discriminator.load_state_dict(state["discriminator"])
                self.adversary.load_state(state["adversary"])
        except (RuntimeError, ValueError, KeyError) as error:
            last = [type(error).__name__, *str(error).splitlines()][-1].strip()
            raise RecipeError(f"the checkpoint is of other networks than the recipe's ({last})") from error

    def train_step(self, batch: Batch) -> dict[str, float]:
        """One step with this process's share of the batch; the losses are those of the whole batch.

        Raises:
            RecipeError: no finite loss for the tenth time in a row.
        """
        schedule = self.recipe.schedule
        factor = rate(schedule, self.step)
        self.update.set_rates(factor, self.recipe.optimizer.lr, self.recipe.optimizer.extractor_lr)
        parts = _parts(batch, self.recipe.engine.accumulation)
        first = self.step * self.recipe.batch_size + self.runtime.rank * len(batch)
        numbers = [
            range(first + part * len(parts[0]), first + (part + 1) * len(parts[0])) for part in range(len(parts))
        ]
        unsound = self._num_unsound()
        with fp32_products(rounded=self.recipe.engine.precision != "fp32"):
            if self.step < schedule.contrastive_steps:
                figures = self._extractor_step(parts, numbers)
            elif self.adversary is None or self.step < schedule.pixel_steps:
                figures, _ = self._network_step(parts, numbers)
            else:
                self.adversary.set_rates(factor, self.recipe.discriminator.lr)
                figures = self._adversarial_step(parts, numbers)
        self._count_if_skipped(self._num_unsound() > unsound)
        self._update_average()
        self.step += 1
        return figures | {"rate": factor}

    def averaged_model(self) -> TTSR:
        """The model with the averaged weights, in eval mode: what a run makes."""
        model = self._make_network(self.recipe.model)
        model.load_state_dict(self.average)
        return model.to(self.runtime.device).eval()

    def _extractor_step(self, parts: list[Batch], numbers: Sequence[range]) -> dict[str, float]:
        found = []
        for part, its in zip(parts, numbers, strict=True):
            with self._autocast():
                loss, figures = self.objective.extractor_alone(part, its)
            self.update.backward(loss / len(parts))
            found.append(figures)
        return self.update.finish(_mean(found))

    def _network_step(
        self,
        parts: list[Batch],
        numbers: Sequence[range],
        ready: tuple[TTSROutput, EncodedReference] | None = None,
    ) -> tuple[dict[str, float], list[Tensor]]:
        """Move the network; also gives the SR images. `ready`: the forward pass of the only part, if done already."""
        pixel_only = self.step < self.recipe.schedule.pixel_steps
        found, images = [], []
        for part, its in zip(parts, numbers, strict=True):
            with self._autocast():
                made = ready or self.objective.forward(part)
                loss, figures = self.objective.whole(part, its, made, pixel_only=pixel_only)
            self.update.backward(loss / len(parts))
            found.append(figures)
            images.append(at_least_float32(made[0].sr.detach()))
        return self.update.finish(_mean(found)), images

    def _adversarial_step(self, parts: list[Batch], numbers: Sequence[range]) -> dict[str, float]:
        if not self.recipe.discriminator.first:
            figures, images = self._network_step(parts, numbers)
            return figures | self._discriminator_steps(parts, numbers, images)
        # One forward pass serves both, if there is one part; the graphs of several are not kept at a time.
        if len(parts) == 1:
            with self._autocast():
                ready = self.objective.forward(parts[0])
            images = [at_least_float32(ready[0].sr.detach())]
        else:
            ready = None
            with torch.no_grad(), self._autocast():
                images = [at_least_float32(self.objective.forward(part)[0].sr) for part in parts]
        figures = self._discriminator_steps(parts, numbers, images)
        return figures | self._network_step(parts, numbers, ready)[0]

    def _discriminator_steps(
        self, parts: list[Batch], numbers: Sequence[range], images: list[Tensor]
    ) -> dict[str, float]:
        assert self.discriminator is not None and self.adversary is not None
        kind, figures = self.recipe.losses.adversarial_kind, {}
        for turn in range(self.recipe.discriminator.steps):
            found = []
            for part, its, sr in zip(parts, numbers, images, strict=True):
                mixture = draw_mixture(self.recipe.seed, its, turn).to(sr.device)
                with self._autocast():
                    loss, seen = discriminator_loss(kind, self.discriminator, sr, part.hr, mixture)
                self.adversary.backward(loss / len(parts))
                found.append(seen | {"discriminator": loss.detach()})
            figures = self.adversary.finish(_mean(found), "discriminator_gradient")
        return figures

    def _autocast(self) -> AbstractContextManager[object]:
        return autocast(self.recipe.engine.precision, self.runtime.device)

    def _num_unsound(self) -> int:
        return self.update.num_unsound + (self.adversary.num_unsound if self.adversary else 0)

    def _count_if_skipped(self, skipped: bool) -> None:
        self.skipped += skipped
        self._skipped_in_a_row = self._skipped_in_a_row + 1 if skipped else 0
        if self._skipped_in_a_row >= MOST_SKIPPED:
            raise RecipeError(
                f"step {self.step + 1}: the loss was not finite {MOST_SKIPPED} times in a row; go on from the last "
                "checkpoint with lower rates, optimizer.clip_norm or engine.precision fp32"
            )

    @torch.no_grad()
    def _update_average(self) -> None:
        # Early on the average follows closely: the first steps say nothing worth remembering.
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step)) if self.recipe.ema else 0.0
        values = [value.detach() for value in self.model.state_dict().values()]
        get_ema_multi_avg_fn(decay)(list(self.average.values()), values, self.step)


def _parts(batch: Batch, count: int) -> list[Batch]:
    """A batch cut into so many of equal size."""
    if count == 1:
        return [batch]
    size = len(batch) // count

    def cut(part: int) -> dict[str, Tensor]:
        tensors = {f.name: getattr(batch, f.name) for f in fields(batch)}
        return {
            name: value[part * size : (part + 1) * size] for name, value in tensors.items() if isinstance(value, Tensor)
        }

    return [replace(batch, **cut(part)) for part in range(count)]


def _mean(found: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([figures[name] for figures in found]).mean() for name in found[0]}
