"""What a run minimises: the terms of one batch, as the recipe weighs them (section 3.3)."""

from collections.abc import Sequence

from torch import Tensor
from torch.func import functional_call

from ttsr.data.sample import Batch
from ttsr.losses.adversarial import generator_loss
from ttsr.losses.contrastive import contrastive_loss
from ttsr.losses.perceptual import perceptual_loss
from ttsr.losses.reconstruction import reconstruction_loss
from ttsr.losses.transferal import transferal_loss
from ttsr.models.correspondence.types import EncodedReference
from ttsr.models.extractor import LearnableTextureExtractor
from ttsr.models.ttsr import TTSROutput
from ttsr.system.precision import at_least_float32
from ttsr.training.draws import draw_anchors
from ttsr.training.networks import Networks
from ttsr.training.recipe import Recipe

Figures = dict[str, Tensor]


class Objective:
    """The loss of a batch, term by term."""

    def __init__(self, recipe: Recipe, networks: Networks) -> None:
        self.recipe, self.networks = recipe, networks

    def forward(self, batch: Batch) -> tuple[TTSROutput, EncodedReference]:
        """Super-resolve a batch, and give what was searched."""
        model = self.networks.model
        features = model.encode_reference(batch.ref, batch.ref_blur, batch.ref_mask)
        return model(batch.lr, features, lr_up=batch.lr_up), features

    def extractor_alone(self, batch: Batch, numbers: Sequence[int]) -> tuple[Tensor, Figures]:
        """The contrastive term, for pairs of these numbers; the synthesis network has no part in it."""
        extractor = self.networks.model.extractor
        return self._contrastive(extractor.coarse(batch.lr_up), extractor.coarse(batch.ref_blur), batch, numbers)

    def whole(
        self,
        batch: Batch,
        numbers: Sequence[int],
        made: tuple[TTSROutput, EncodedReference],
        *,
        pixel_only: bool,
    ) -> tuple[Tensor, Figures]:
        """The network's loss for what `forward` made of a batch of these numbers."""
        (output, features), weights = made, self.recipe.losses
        sr = at_least_float32(output.sr)
        rec = reconstruction_loss(sr, batch.hr)
        loss = weights.rec * rec
        figures = {"rec": rec, "relevance": output.relevance.mean()}
        if weights.contrastive:
            assert output.queries is not None
            term, right = self._contrastive(output.queries, features.keys, batch, numbers)
            loss = loss + weights.contrastive * term
            figures |= right
        if not pixel_only:
            for name, weight, term in self._joining_terms(sr, output, batch):
                loss = loss + weight * term
                figures[name] = term
        return loss, {name: value.detach() for name, value in figures.items()}

    def _joining_terms(self, sr: Tensor, output: TTSROutput, batch: Batch) -> list[tuple[str, float, Tensor]]:
        """Name, weight and value of the terms that join after `pixel_steps`."""
        weights, networks = self.recipe.losses, self.networks
        terms = []
        if weights.perceptual:
            extractor = networks.model.extractor
            judge = networks.vgg19 or (lambda image: _frozen_coarse(extractor, image))
            terms.append(("perceptual", weights.perceptual, perceptual_loss(judge, sr, batch.hr)))
        if weights.transferal:
            assert output.textures is not None
            term = transferal_loss(networks.model.extractor, sr, output.textures, weights.transferal_levels)
            terms.append(("transferal", weights.transferal, term))
        if networks.discriminator is not None:
            term = generator_loss(weights.adversarial_kind, networks.discriminator, sr)
            terms.append(("adversarial", weights.adversarial, term))
        return terms

    def _contrastive(
        self, queries: Tensor, keys: Tensor, batch: Batch, numbers: Sequence[int]
    ) -> tuple[Tensor, Figures]:
        options = self.recipe.losses
        num_cells = queries.shape[2] * queries.shape[3]
        anchors = draw_anchors(self.recipe.seed, numbers, options.contrastive_anchors, num_cells).to(queries.device)
        term, right = contrastive_loss(
            queries, keys, batch.to_ref, batch.known, anchors, group=options.contrastive_group
        )
        return term, {"contrastive": term.detach(), "right": right.detach()}


def _frozen_coarse(extractor: LearnableTextureExtractor, image: Tensor) -> Tensor:
    """The extractor's coarse level, with gradients to the image alone."""
    fixed = {name: value.detach() for name, value in extractor.named_parameters()}
    coarse, _, _ = functional_call(extractor, fixed, (image,))
    return coarse
