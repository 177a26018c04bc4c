"""The optimizer steps of one training step: of the extractor alone, of the network, and of its discriminator."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

import torch
from torch import Tensor

from ttsr.data.sample import Batch
from ttsr.errors import RecipeError
from ttsr.models.correspondence.types import EncodedReference
from ttsr.models.output import TTSROutput
from ttsr.system.distributed import Runtime
from ttsr.system.memory import is_out_of_memory
from ttsr.system.precision import autocast, fp32_products
from ttsr.training.batch_parts import BatchParts, Part
from ttsr.training.objective import Metrics, Objective
from ttsr.training.optimizer import TrainingOptimizer
from ttsr.training.recipe import Recipe

T = TypeVar("T")


class OptimizerSteps:
    """What a training step consists of, each part of the batch after the other.

    Args:
        recipe: the run's.
        runtime: its processes.
        objective: its losses.
        parts: of the batches.
        optimizer: of the network.
        discriminator_optimizer: None without a discriminator.
    """

    def __init__(
        self,
        recipe: Recipe,
        runtime: Runtime,
        objective: Objective,
        parts: BatchParts,
        optimizer: TrainingOptimizer,
        discriminator_optimizer: TrainingOptimizer | None,
    ) -> None:
        self.recipe, self.runtime, self.objective, self.parts = recipe, runtime, objective, parts
        self.optimizer, self.discriminator_optimizer = optimizer, discriminator_optimizer
        # The step so far from 0, and the number of this process's first pair.
        self._step, self._first = 0, 0
        # A forward pass that both steps of an adversarial step use, in between.
        self._forward_pass: tuple[TTSROutput, EncodedReference | None] | None = None

    def take(self, batch: Batch, step: int, first: int) -> dict[str, float]:
        """Take them with this process's share of the batch; the metrics are means over all processes.

        Args:
            batch: the share.
            step: the number of the step, from 0.
            first: the number of the share's first pair.

        Raises:
            RecipeError: memory ran out with the smallest parts, or while weights were updated; some of them may have
                been.
        """
        recipe, self._step, self._first = self.recipe, step, first
        with fp32_products(rounded=recipe.engine.precision != "fp32"):
            if recipe.trains == "extractor" or step < recipe.schedule.contrastive_steps:
                return self._extractor_step(batch)
            if self.discriminator_optimizer is None or step < recipe.schedule.pixel_steps:
                return self._network_step(batch)[0]
            return self._adversarial_step(batch, self.discriminator_optimizer)

    def _extractor_step(self, batch: Batch) -> dict[str, float]:
        def loss_of(part: Part) -> tuple[Tensor, Metrics, None]:
            return *self.objective.extractor_loss(part.batch, part.numbers), None

        return self._optimize(self.optimizer, batch, loss_of)[0]

    def _network_step(self, batch: Batch) -> tuple[dict[str, float], Tensor]:
        """Metrics, and the images that the discriminator judges, as of `_images`."""
        pixel_only = self._step < self.recipe.schedule.pixel_steps

        def loss_of(part: Part) -> tuple[Tensor, Metrics, Tensor]:
            output = self._forward_pass or self.objective.forward(part.batch)
            loss, metrics = self.objective.network_loss(part.batch, part.numbers, output, pixel_only=pixel_only)
            return loss, metrics, self.objective.images(output[0]).detach()

        metrics, images = self._optimize(self.optimizer, batch, loss_of)
        self._forward_pass = None
        return metrics, _joined(images, len(batch))

    def _adversarial_step(self, batch: Batch, discriminator_optimizer: TrainingOptimizer) -> dict[str, float]:
        alone = self._step < self.recipe.schedule.adversarial_start + self.recipe.discriminator.init_steps
        if not self.recipe.discriminator.first and not alone:
            metrics, images = self._network_step(batch)
            return metrics | self._discriminator_steps(batch, images, discriminator_optimizer)
        images = self._images(batch, keep_graph=not alone)
        metrics = self._discriminator_steps(batch, images, discriminator_optimizer)
        return metrics if alone else metrics | self._network_step(batch)[0]

    def _images(self, batch: Batch, *, keep_graph: bool) -> Tensor:
        """What the discriminator judges, (times, B, 3, H, W) with times the images that the network makes of a pair.

        With `keep_graph` one forward pass serves both steps if there is one part; the graphs of several would take too
        much memory.
        """

        def images_of(part: Part) -> Tensor:
            kept = keep_graph and self.parts.count == 1
            with torch.set_grad_enabled(kept), self._autocast():
                forward_pass = self.objective.forward(part.batch)
            if kept:
                self._forward_pass = forward_pass
            return self.objective.images(forward_pass[0]).detach()

        return _joined(self._compute(batch, images_of), len(batch))

    def _discriminator_steps(
        self, batch: Batch, images: Tensor, discriminator_optimizer: TrainingOptimizer
    ) -> dict[str, float]:
        metrics: dict[str, float] = {}
        for repetition in range(self.recipe.discriminator.steps):

            def loss_of(part: Part, repetition: int = repetition) -> tuple[Tensor, Metrics, None]:
                judged = images[:, part.place].flatten(0, 1)
                return *self.objective.discriminator_loss(part.batch, part.numbers, judged, repetition), None

            metrics, _ = self._optimize(discriminator_optimizer, batch, loss_of, "discriminator_gradient")
        return metrics

    def _optimize(
        self,
        optimizer: TrainingOptimizer,
        batch: Batch,
        loss_of: Callable[[Part], tuple[Tensor, Metrics, T]],
        gradient: str = "gradient",
    ) -> tuple[dict[str, float], list[T]]:
        """An optimizer step by the mean loss of the parts: their mean metrics, and what else `loss_of` gives for each.

        Raises:
            RecipeError: memory runs out.
        """
        discriminator = self.objective.discriminator

        def backward(part: Part) -> tuple[Metrics, T]:
            if discriminator is not None:  # its spectral norms are estimated anew once a step, not in each part
                discriminator.train(part.place.start == 0)
            with self._autocast():
                loss, metrics, further = loss_of(part)
            optimizer.backward(loss / self.parts.count)
            return metrics, further

        of_parts = self._compute(batch, backward, optimizer)
        metrics = [of_part for of_part, _ in of_parts]
        means = {name: torch.stack([of_part[name] for of_part in metrics]).mean() for name in metrics[0]}
        try:
            return optimizer.step(means, gradient), [further for _, further in of_parts]
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        # Some weights may have moved and others not, so that this state is of no use.
        raise RecipeError(
            f"step {self._step + 1}: memory ran out while the weights were updated",
            "resume from the last checkpoint with more memory",
        )

    def _compute(
        self, batch: Batch, of_part: Callable[[Part], T], optimizer: TrainingOptimizer | None = None
    ) -> list[T]:
        """`of_part` of all parts; where memory runs out, of more and smaller ones, from the state before."""
        discriminator = self.objective.discriminator
        buffers = [] if discriminator is None else list(discriminator.buffers())
        before = [buffer.clone() for buffer in buffers]

        def undo() -> None:
            self._forward_pass = None
            if optimizer is not None:
                optimizer.discard_gradients()
            for buffer, value in zip(buffers, before, strict=True):
                buffer.copy_(value)

        return self.parts.compute(batch, self._first, self._step + 1, of_part, undo)

    def _autocast(self) -> AbstractContextManager[object]:
        return autocast(self.recipe.engine.precision, self.runtime.device)


def _joined(images: Sequence[Tensor], num_pairs: int) -> Tensor:
    """(times, B, 3, H, W) of the parts' (times * b, 3, H, W)."""
    size = num_pairs // len(images)
    return torch.cat([of_part.unflatten(0, (-1, size)) for of_part in images], 1)
