"""The network in parts that can be exported one by one, so that what a reference gives can be kept.

Of one picture at a time, in float32. Numbers that are places are int32, which every runtime has.
"""

from typing import cast

import torch
from torch import Tensor, nn

from ttsr.export.exact_search import best_matches
from ttsr.export.gathered_textures import gathered_textures, neighbours
from ttsr.export.refined_matches import refined_matches
from ttsr.models.config import SCALE
from ttsr.models.correspondence.pixel_transfer import PixelTransfer
from ttsr.models.correspondence.refine import coherence, luma
from ttsr.models.correspondence.types import CELLS, Refinement
from ttsr.models.trunk import Trunk, detail_image
from ttsr.models.ttsr import TTSR


class ExtractorPart(nn.Module):
    """A picture to the features that are matched, and to textures."""

    def __init__(self, model: TTSR) -> None:
        super().__init__()
        self.extractor = model.extractor
        self.with_luma = model.transfer.needs_luma

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(1, 3, 4H, 4W) RGB in [0, 1].

        Returns:
            Features (1, C3, H, W); the pixels of the textures, row by row, coarse to fine: (H W, C3), (4 H W, C2),
            (16 H W, C1); and where matches are refined the luma (1, 4H, 4W).
        """
        levels = self.extractor(image)
        tables = [level[0].flatten(1).t() for level in levels]
        return (levels[0], *tables, *([luma(image)] if self.with_luma else []))


class MatchingPart(nn.Module):
    """Where each LR cell finds its texture in a reference, by the exact search."""

    def __init__(self, model: TTSR) -> None:
        super().__init__()
        self.radius = model.config.refinement_radius

    def forward(
        self, queries: Tensor, keys: Tensor, lr_luma: Tensor | None = None, ref_luma: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Features of the up-sampled LR (1, C3, h, w) and of the blurred reference (1, C3, H, W), and their luma.

        Returns:
            The relevance (1, 1, h, w); the first pixel of each match, down and right, (1, 2, h, w) int32; and where
            matches are refined their ZNCC (1, 1, h, w).
        """
        relevance, row, column = best_matches(queries, keys)
        if not self.radius:
            return relevance, (SCALE * torch.stack([row, column])[None]).int()
        place, zncc = refined_matches(cast(Tensor, lr_luma), cast(Tensor, ref_luma), row, column, self.radius)
        return relevance, place.int(), zncc


class SynthesisPart(nn.Module):
    """The LR picture, matches and textures to the result, of a network that refines its matches or not."""

    def __init__(self, model: TTSR) -> None:
        super().__init__()
        self.synthesis = model.synthesis
        self.confidence = model.transfer.confidence if isinstance(model.transfer, PixelTransfer) else None
        self.on_bicubic = model.config.bicubic_skip

    def forward(
        self,
        lr: Tensor,
        relevance: Tensor,
        reference: Tensor,
        place: Tensor,
        sizes: Tensor,
        texture1: Tensor,
        texture2: Tensor,
        texture4: Tensor,
        lr_up: Tensor | None = None,
        zncc: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """One result.

        Args:
            lr: (1, 3, h, w) RGB in [0, 1].
            relevance: (1, 1, h, w) of the best match among all references.
            reference: (1, h, w) int32, which of them it is in.
            place: (1, 2, h, w) int32, as `MatchingPart` gives it.
            sizes: (R, 2) int32, rows and columns of cells of each reference.
            texture1: (P, C3) of all references, one after the other; so are the next two.
            texture2: (4 P, C2).
            texture4: (16 P, C1).
            lr_up: (1, 3, 4h, 4w) RGB in [0, 1], for networks that add to bicubic.
            zncc: (1, 1, h, w), where matches are refined.

        Returns:
            The result (1, 3, 4h, 4w) RGB in [0, 1], and the match confidence (1, 3, h, w), coarse to fine.
        """
        place, reference, sizes = place.long(), reference.long(), sizes.long()
        if self.confidence is None:
            attention = relevance.expand(-1, 3, -1, -1)
        else:
            own = [SCALE * torch.arange(side) for side in lr.shape[2:]]
            shift = place - torch.stack(torch.broadcast_tensors(own[0][:, None], own[1][None]))
            refinement = Refinement(reference, shift, cast(Tensor, zncc))
            attention = self.confidence(relevance, refinement.zncc, coherence(refinement))
        grid, repeat = (lr.shape[2], lr.shape[3]), self.confidence is not None
        matches = neighbours(reference, place, sizes, grid)
        tables = zip((texture1, texture2, texture4), CELLS, strict=True)
        coarse, middle, fine = (gathered_textures(matches, grid, table, cell, repeat=repeat) for table, cell in tables)
        x1, x2, detail = self.synthesis.coarse(2 * lr - 1, attention, coarse, middle)
        base = _base(lr_up, detail) if self.on_bicubic else None
        rgb = self.synthesis.fine(x1, x2, attention, fine, base)
        # A copy: an output must not be an input.
        return _finished(rgb if base is None else rgb + base), attention.clone()


class TrunkPart(nn.Module):
    """The result without a reference, of a network with a trunk."""

    def __init__(self, model: TTSR) -> None:
        super().__init__()
        assert isinstance(model.synthesis.shallow, Trunk)
        self.trunk = model.synthesis.shallow

    def forward(self, lr: Tensor, lr_up: Tensor) -> tuple[Tensor]:
        """(1, 3, h, w) and (1, 3, 4h, 4w) RGB in [0, 1] to the result (1, 3, 4h, 4w)."""
        return (_finished(_base(lr_up, self.trunk(2 * lr - 1)[1])),)


def _base(lr_up: Tensor | None, detail: Tensor | None) -> Tensor:
    image = 2 * cast(Tensor, lr_up) - 1
    return image if detail is None else image + detail_image(detail)


def _finished(rgb: Tensor) -> Tensor:
    return (rgb.clamp(-1, 1) + 1) / 2
