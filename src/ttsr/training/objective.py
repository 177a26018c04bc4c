"""The losses of one batch, as the recipe weighs them (section 3.3 of the paper)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from ttsr.data.sample import Batch
from ttsr.losses.adversarial import discriminator_loss, generator_loss
from ttsr.losses.contrastive import contrastive_loss
from ttsr.losses.perceptual import perceptual_loss, style_loss, transferal_loss
from ttsr.losses.reconstruction import reconstruction_loss
from ttsr.models.correspondence.coherent import COHERENT
from ttsr.models.correspondence.exact import EXACT
from ttsr.models.correspondence.types import EncodedReference
from ttsr.models.output import TTSROutput
from ttsr.models.ttsr import TTSR
from ttsr.models.vgg import VGG19
from ttsr.system.precision import at_least_float32
from ttsr.training.recipe import Recipe

Metrics = dict[str, Tensor]

TERMS = ("rec", "base", "contrastive", "perceptual", "style", "transferal", "adversarial")
"""Losses in the network's total, and fields of their weights in `losses`."""

# Random streams of a pair, so that neither depends on how much the other draws.
_ANCHORS, _MIXTURE = 1, 2


class Objective:
    """The losses of a batch. `numbers` are those of its pairs: they and the seed alone decide all random draws.

    Args:
        recipe: weights and variants of the losses.
        model: the network to train.
        discriminator: for the adversarial loss.
        vgg19: for the perceptual and the style loss, unless they use the extractor of `model`.
    """

    def __init__(self, recipe: Recipe, model: TTSR, discriminator: nn.Module | None, vgg19: VGG19 | None) -> None:
        self.recipe, self.model, self.discriminator, self.vgg19 = recipe, model, discriminator, vgg19
        self.matcher = COHERENT if recipe.search == "coherent" else EXACT

    def forward(self, batch: Batch) -> tuple[TTSROutput, EncodedReference | None]:
        """Super-resolve a batch, clamped if the recipe says so; also returns the encoded reference.

        Where the trunk alone is trained there is none.
        """
        reference = None
        if self.recipe.trains != "trunk":
            assert batch.ref is not None
            reference = self.model.encode_reference(batch.ref, batch.ref_blur, batch.ref_mask)
        output = self.model(batch.lr, reference or (), lr_up=batch.lr_up, matcher=self.matcher)
        if self.recipe.losses.clamp:
            base = None if output.base is None else output.base.clamp(0, 1)
            output = replace(output, sr=output.sr.clamp(0, 1), base=base)
        return output, reference

    def extractor_loss(self, batch: Batch, numbers: Sequence[int]) -> tuple[Tensor, Metrics]:
        """The contrastive loss alone, which does not need the synthesis network."""
        assert batch.ref_blur is not None
        coarse = self.model.extractor.coarse
        metrics = self._contrastive(coarse(batch.lr_up), coarse(batch.ref_blur), batch, numbers)
        return metrics["contrastive"], _detached(metrics | {"loss": metrics["contrastive"]})

    def network_loss(
        self,
        batch: Batch,
        numbers: Sequence[int],
        forward_pass: tuple[TTSROutput, EncodedReference | None],
        *,
        pixel_only: bool,
    ) -> tuple[Tensor, Metrics]:
        """The weighted sum of the network's losses, and each of them: as it is, and as `weighted_NAME` in the sum.

        Args:
            batch: the pairs.
            numbers: of the pairs.
            forward_pass: what `forward` returned for the batch.
            pixel_only: leave out the perceptual, transferal and adversarial losses.
        """
        (output, reference), weights = forward_pass, self.recipe.losses
        sr = at_least_float32(output.sr)
        rec = reconstruction_loss(sr, batch.hr, weights.rec_kind, weights.charbonnier_eps)
        metrics = {"rec": rec}
        if reference is not None:
            metrics["relevance"] = output.relevance.mean()
        if weights.base and reference is not None:
            assert output.base is not None
            base = at_least_float32(output.base)
            metrics["base"] = reconstruction_loss(base, batch.hr, weights.rec_kind, weights.charbonnier_eps)
        if weights.contrastive and reference is not None:
            assert output.queries is not None
            metrics |= self._contrastive(output.queries, reference.keys, batch, numbers)
        images = self.images(output)
        truths = torch.cat(len(images) // len(sr) * [batch.hr])
        if (weights.perceptual or weights.style) and not pixel_only:
            metrics |= self._of_features(images, truths)
        if weights.transferal and reference is not None and not pixel_only:
            assert output.textures is not None
            metrics["transferal"] = transferal_loss(
                self.model.extractor,
                sr,
                output.textures,
                weights.transferal_levels,
                weights.transferal_kind,
                at_least_float32(output.relevance),
                weights.transferal_attention,
            )
        if self.discriminator is not None and not pixel_only:
            metrics["adversarial"] = generator_loss(weights.adversarial_kind, self.discriminator, images, truths)
        terms = {name: getattr(weights, name) * metrics[name] for name in TERMS if name in metrics}
        loss = sum(terms.values(), torch.zeros_like(metrics["rec"]))
        metrics |= {"loss": loss} | {f"weighted_{name}": term for name, term in terms.items()}
        return loss, _detached(metrics)

    def images(self, output: TTSROutput) -> Tensor:
        """What the perceptual and adversarial losses judge: SR, and behind it the base where it is trained too."""
        sr = at_least_float32(output.sr)
        if not self.recipe.losses.base or output.base is None:
            return sr
        return torch.cat([sr, at_least_float32(output.base)])

    def discriminator_loss(
        self, batch: Batch, numbers: Sequence[int], images: Tensor, repetition: int
    ) -> tuple[Tensor, Metrics]:
        """The discriminator's loss in its `repetition`-th optimizer step, from 0, of a step of the network."""
        assert self.discriminator is not None
        draws = [self._generator(number, _MIXTURE, repetition).random() for number in numbers]
        times = len(images) // len(batch.hr)
        mixture = torch.tensor(times * draws, dtype=torch.float32).to(images.device)
        kind, truths = self.recipe.losses.adversarial_kind, torch.cat(times * [batch.hr])
        loss, metrics = discriminator_loss(kind, self.discriminator, images, truths, mixture)
        return loss, metrics | {"discriminator": loss.detach()}

    def _of_features(self, sr: Tensor, hr: Tensor) -> Metrics:
        """The perceptual and the style loss, which share features."""
        options, metrics = self.recipe.losses, {}
        with torch.no_grad():
            on_hr = self._features(hr)
        on_sr = self._features(sr)
        if options.perceptual:
            layers, weights = _chosen(options.perceptual_terms, on_sr, on_hr)
            metrics["perceptual"] = perceptual_loss(*layers, weights, options.perceptual_kind)
        if options.style:
            layers, weights = _chosen(options.style_terms, on_sr, on_hr)
            metrics["style"] = style_loss(*layers, weights, options.style_kind)
        return metrics

    def _features(self, image: Tensor) -> dict[str, Tensor]:
        """The features that the losses use, by layer; the extractor's under the name of VGG19's default layer."""
        if self.vgg19 is None:
            return dict.fromkeys(self.recipe.losses.perceptual_terms, self._frozen_coarse(image))
        layers = self.recipe.losses.vgg19_layers
        return dict(zip(layers, self.vgg19.features(image, layers), strict=True))

    def _contrastive(self, queries: Tensor, keys: Tensor, batch: Batch, numbers: Sequence[int]) -> Metrics:
        options, num_cells = self.recipe.losses, queries.shape[2] * queries.shape[3]
        size = options.contrastive_anchors
        draws = [self._generator(number, _ANCHORS).integers(num_cells, size=size) for number in numbers]
        anchors = torch.from_numpy(np.stack(draws)).to(queries.device)
        loss, right = contrastive_loss(
            queries, keys, batch.to_ref, batch.known, anchors, group=options.contrastive_group
        )
        return {"contrastive": loss, "right": right}

    def _frozen_coarse(self, image: Tensor) -> Tensor:
        """The extractor's coarse level, with gradients to the image alone."""
        frozen = _detached(dict(self.model.extractor.named_parameters()))
        coarse, _, _ = functional_call(self.model.extractor, frozen, (image,))
        return coarse

    def _generator(self, number: int, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.recipe.seed, number, *stream])


def _detached(values: Metrics) -> Metrics:
    return {name: value.detach() for name, value in values.items()}


def _chosen(
    terms: dict[str, float], on_sr: dict[str, Tensor], on_hr: dict[str, Tensor]
) -> tuple[tuple[list[Tensor], list[Tensor]], list[float]]:
    """Features of SR and of HR of some layers, and the layers' weights."""
    return ([on_sr[layer] for layer in terms], [on_hr[layer] for layer in terms]), list(terms.values())
