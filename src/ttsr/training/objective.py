"""The losses of one batch, as the recipe weighs them (section 3.3 of the paper)."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from ttsr.data.sample import Batch
from ttsr.losses.adversarial import discriminator_loss, generator_loss
from ttsr.losses.contrastive import contrastive_loss
from ttsr.losses.perceptual import perceptual_loss
from ttsr.losses.reconstruction import reconstruction_loss
from ttsr.losses.transferal import transferal_loss
from ttsr.models.correspondence.types import EncodedReference
from ttsr.models.extractor import LearnableTextureExtractor
from ttsr.models.ttsr import TTSROutput
from ttsr.system.precision import at_least_float32
from ttsr.training.networks import Networks
from ttsr.training.recipe import Recipe

Metrics = dict[str, Tensor]

# Random streams of a pair, so that neither depends on how much the other draws.
_ANCHORS, _MIXTURE = 1, 2


class Objective:
    """The losses of a batch. `numbers` are those of its pairs: they and the seed alone decide all random draws."""

    def __init__(self, recipe: Recipe, networks: Networks) -> None:
        self.recipe, self.networks = recipe, networks

    def forward(self, batch: Batch) -> tuple[TTSROutput, EncodedReference]:
        """Super-resolve a batch; also returns the encoded reference."""
        model = self.networks.model
        reference = model.encode_reference(batch.ref, batch.ref_blur, batch.ref_mask)
        return model(batch.lr, reference, lr_up=batch.lr_up), reference

    def extractor_loss(self, batch: Batch, numbers: Sequence[int]) -> tuple[Tensor, Metrics]:
        """The contrastive loss alone, which does not need the synthesis network."""
        extractor = self.networks.model.extractor
        return self._contrastive(extractor.coarse(batch.lr_up), extractor.coarse(batch.ref_blur), batch, numbers)

    def network_loss(
        self,
        batch: Batch,
        numbers: Sequence[int],
        forward_pass: tuple[TTSROutput, EncodedReference],
        *,
        pixel_only: bool,
    ) -> tuple[Tensor, Metrics]:
        """The weighted sum of the network's losses, and each of them.

        Args:
            batch: the pairs.
            numbers: of the pairs.
            forward_pass: what `forward` returned for the batch.
            pixel_only: leave out the perceptual, transferal and adversarial losses.
        """
        (output, reference), weights = forward_pass, self.recipe.losses
        sr = at_least_float32(output.sr)
        rec = reconstruction_loss(sr, batch.hr)
        loss = weights.rec * rec
        metrics = {"rec": rec, "relevance": output.relevance.mean()}
        if weights.contrastive:
            assert output.queries is not None
            contrastive, hits = self._contrastive(output.queries, reference.keys, batch, numbers)
            loss = loss + weights.contrastive * contrastive
            metrics |= hits
        if not pixel_only:
            for name, weight, value in self._feature_losses(sr, output, batch):
                loss = loss + weight * value
                metrics[name] = value
        return loss, {name: value.detach() for name, value in metrics.items()}

    def discriminator_loss(
        self, batch: Batch, numbers: Sequence[int], sr: Tensor, repetition: int
    ) -> tuple[Tensor, Metrics]:
        """The discriminator's loss in its `repetition`-th optimizer step, from 0, of a step of the network."""
        assert self.networks.discriminator is not None
        draws = [self._generator(number, _MIXTURE, repetition).random() for number in numbers]
        mixture = torch.tensor(draws, dtype=torch.float32).to(sr.device)
        kind = self.recipe.losses.adversarial_kind
        loss, metrics = discriminator_loss(kind, self.networks.discriminator, sr, batch.hr, mixture)
        return loss, metrics | {"discriminator": loss.detach()}

    def _feature_losses(self, sr: Tensor, output: TTSROutput, batch: Batch) -> list[tuple[str, float, Tensor]]:
        """Name, weight and value of the losses that are used after `pixel_steps`."""
        weights, networks = self.recipe.losses, self.networks
        losses = []
        if weights.perceptual:
            extractor = networks.model.extractor
            features = networks.vgg19 or (lambda image: _frozen_coarse(extractor, image))
            losses.append(("perceptual", weights.perceptual, perceptual_loss(features, sr, batch.hr)))
        if weights.transferal:
            assert output.textures is not None
            value = transferal_loss(networks.model.extractor, sr, output.textures, weights.transferal_levels)
            losses.append(("transferal", weights.transferal, value))
        if networks.discriminator is not None:
            value = generator_loss(weights.adversarial_kind, networks.discriminator, sr)
            losses.append(("adversarial", weights.adversarial, value))
        return losses

    def _contrastive(
        self, queries: Tensor, keys: Tensor, batch: Batch, numbers: Sequence[int]
    ) -> tuple[Tensor, Metrics]:
        options, num_cells = self.recipe.losses, queries.shape[2] * queries.shape[3]
        size = options.contrastive_anchors
        draws = [self._generator(number, _ANCHORS).integers(num_cells, size=size) for number in numbers]
        anchors = torch.from_numpy(np.stack(draws)).to(queries.device)
        loss, right = contrastive_loss(
            queries, keys, batch.to_ref, batch.known, anchors, group=options.contrastive_group
        )
        return loss, {"contrastive": loss.detach(), "right": right.detach()}

    def _generator(self, number: int, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.recipe.seed, number, *stream])


def _frozen_coarse(extractor: LearnableTextureExtractor, image: Tensor) -> Tensor:
    """The extractor's coarse level, with gradients to the image alone."""
    frozen = {name: value.detach() for name, value in extractor.named_parameters()}
    coarse, _, _ = functional_call(extractor, frozen, (image,))
    return coarse
