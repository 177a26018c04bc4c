"""TTSR: extractor, matching, transfer and synthesis put together (Yang et al., CVPR 2020, figure 2).

`textbook.py` spells the same network out as the paper words it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ttsr.models.config import TTSRConfig
from ttsr.models.correspondence.cell_transfer import CellTransfer
from ttsr.models.correspondence.exact import EXACT
from ttsr.models.correspondence.pixel_transfer import PixelTransfer
from ttsr.models.correspondence.refine import luma
from ttsr.models.correspondence.relevance import relevance_at
from ttsr.models.correspondence.types import CELLS, Box, EncodedReference, Matcher, Matches, Refinement, Textures
from ttsr.models.cost import fine_cell_bytes
from ttsr.models.extractor import LearnableTextureExtractor
from ttsr.models.inputs import ReferenceImage, ReferenceInput, check_inputs, check_reference, stage_progress
from ttsr.models.streaming import channels_last, coarse_features, features_in_strips, fine_in_strips, strip_dim
from ttsr.models.synthesis import SynthesisNetwork
from ttsr.progress import Progress
from ttsr.system.precision import at_least_float32


@dataclass(frozen=True)
class TTSROutput:
    """What a forward pass returns.

    Attributes:
        sr: (B, 3, 4h, 4w) RGB; in [0, 1] in eval mode, not clamped while training.
        matches: relevance (B, 1, h, w), 0 without a reference, and index (B, h, w), -1 without a reference.
        attention: (B, 3, h, w), how far each level's texture is let in, coarse to fine: S as published, or the learned
            match confidence.
        refinement: the matches to the pixel; None for the published network or without a reference.
        textures: transferred textures, coarse to fine: (B, C3, h, w), (B, C2, 2h, 2w), (B, C1, 4h, 4w); None if not
            kept or without a reference.
        queries: (B, C3, h, w), the features of lr_up that were matched; None in the same cases.
    """

    sr: Tensor
    matches: Matches
    attention: Tensor
    refinement: Refinement | None
    textures: tuple[Tensor, Tensor, Tensor] | None
    queries: Tensor | None

    @property
    def relevance(self) -> Tensor:
        """S, (B, 1, h, w)."""
        return self.matches.relevance

    @property
    def index(self) -> Tensor:
        """The best key of each LR cell, (B, h, w)."""
        return self.matches.index


class TTSR(nn.Module):
    """Texture Transformer Network for image super-resolution, four times, with one or more references.

    Images are float BCHW RGB in [0, 1].
    """

    def __init__(self, config: TTSRConfig | None = None) -> None:
        super().__init__()
        self.config = config or TTSRConfig()
        fine, middle, coarse = self.config.extractor_channels
        radius = self.config.refinement_radius
        self.extractor = LearnableTextureExtractor(self.config.extractor_channels)
        widths, sizes = (coarse, middle, fine), self.config
        self.synthesis = SynthesisNetwork(sizes.channels, sizes.num_blocks, widths, sizes.res_scale)
        self.transfer = PixelTransfer(radius) if radius else CellTransfer()

    def forward(
        self,
        lr: Tensor,
        ref: ReferenceInput | Sequence[ReferenceInput],
        *,
        lr_up: Tensor | None = None,
        ref_blur: Tensor | Sequence[Tensor] | None = None,
        ref_mask: Tensor | Sequence[Tensor | None] | None = None,
        matcher: Matcher = EXACT,
        block_bytes: int = 2**30,
        keep_textures: bool = True,
        progress: Progress | None = None,
    ) -> TTSROutput:
        """Super-resolve a batch.

        With no reference at all, `()`, nothing is transferred: neither the extractor nor the soft attention is computed
        or gets a gradient.

        Args:
            lr: (B, 3, h, w).
            ref: one or several of (B, 3, H, W), of any sizes from 4x4 on (the last rows and columns that make no whole
                four are left out), or their `encode_reference`.
            lr_up: (B, 3, 4h, 4w); made by antialiased bicubic where not given.
            ref_blur: as ref, the references at a quarter of their size and back; likewise.
            ref_mask: as ref, (B, H/4, W/4) bool, False for cells that must not be matched, such as padding; refinement
                may still move a match so many pixels into them. For encoded references `encode_reference` takes it.
            matcher: the search to match by.
            block_bytes: about what one block of the streamed parts may hold. Without gradients the extractor, the
                search and the transfer are streamed; with `keep_textures=False` so is the 4x stage.
            keep_textures: return the textures.
            progress: updated throughout; cancels the pass.

        Raises:
            ValueError: sizes or channels do not fit, or of some image every cell of all references is masked.
        """
        inputs = check_inputs(lr, ref, lr_up, ref_blur, ref_mask)
        parts = stage_progress(self.config, inputs, progress or Progress())

        references = [self._encoded(r, block_bytes) for r in inputs.references]
        parts["references"].update(1)
        if references:
            queries = coarse_features(self.extractor, inputs.lr_up, block_bytes)
            parts["queries"].update(1)
            matches = self._match(queries, references, matcher, block_bytes, parts["matching"])
            textures = self.transfer(matches, references, inputs.lr_up)
        else:
            queries, relevance = None, lr.new_zeros(lr.shape[0], 1, *inputs.lr_grid)
            matches = Matches(relevance, torch.full_like(relevance[:, 0], -1, dtype=torch.long))
            textures = Textures(relevance.expand(-1, 3, -1, -1))
        queries = queries if keep_textures else None
        parts["matching"].update(1)
        sr, levels = self._synthesise(lr, textures, len(references), block_bytes, keep_textures, parts)
        if self.config.bicubic_skip:
            sr = sr + (2 * inputs.lr_up - 1)
        if not self.training:
            sr = sr.clamp(-1, 1)
        return TTSROutput((sr + 1) / 2, matches, textures.attention, textures.refinement, levels, queries)

    def encode_reference(
        self, ref: Tensor, ref_blur: Tensor | None = None, mask: Tensor | None = None, *, block_bytes: int = 2**30
    ) -> EncodedReference:
        """Keys and textures of a reference, to be used for any number of LR images.

        Args:
            ref: (B, 3, H, W) of 4x4 at least; the last rows and columns that make no whole four are left out, as the
                authors do.
            ref_blur: the reference at a quarter of its size and back; made by antialiased bicubic where not given.
            mask: (B, H // 4, W // 4) bool, True where a cell may be matched; all where not given.
            block_bytes: about what the features of a strip may hold.

        Raises:
            ValueError: sizes or channels do not fit.
        """
        return self._encoded(check_reference(ref, ref_blur, mask), block_bytes)

    def _encoded(self, reference: ReferenceImage | EncodedReference, block_bytes: int) -> EncodedReference:
        if isinstance(reference, EncodedReference):
            return reference
        (height, width), dim = reference.grid, strip_dim(*reference.ref.shape[2:])
        keys = coarse_features(self.extractor, reference.ref_blur, block_bytes)
        fine, middle, coarse = self.config.extractor_channels
        widths = zip(CELLS, (coarse, middle, fine), strict=True)
        storages = [self.transfer.storage(keys, reference.grid, cell, channels) for cell, channels in widths]
        for strip, levels in features_in_strips(self.extractor, reference.ref, block_bytes):
            start, end = strip.start // CELLS[-1], strip.end // CELLS[-1]
            box = Box(start, end, 0, width) if dim == 2 else Box(0, height, start, end)
            for storage, level, cell in zip(storages, levels, CELLS, strict=True):
                self.transfer.store(storage, level, cell, box, reference.grid)
        luma_of_blurred = luma(reference.ref_blur) if self.transfer.needs_luma else None
        return EncodedReference(keys, (storages[0], storages[1], storages[2]), reference.mask, luma_of_blurred)

    def _match(
        self,
        queries: Tensor,
        references: Sequence[EncodedReference],
        matcher: Matcher,
        block_bytes: int,
        progress: Progress,
    ) -> Matches:
        """Matches, with gradients of the relevance to queries and keys where they are wanted."""
        # Where the network computes in 16 bits the cosines are still compared in 32: rounded, most matches would tie.
        queries, keys = at_least_float32(queries), [at_least_float32(r.keys) for r in references]
        masks = [r.mask for r in references]
        matches = matcher(queries, keys, masks=masks, block_bytes=block_bytes, progress=progress)
        if torch.is_grad_enabled():
            matches = Matches(relevance_at(queries, keys, matches.index), matches.index)
        return matches

    def _synthesise(
        self,
        lr: Tensor,
        textures: Textures,
        num_references: int,
        block_bytes: int,
        keep_textures: bool,
        parts: dict[str, Progress],
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor] | None]:
        """RGB in [-1, 1] up to clamping, and the textures if they are kept."""
        texture1, texture2 = textures.level(0), textures.level(1)
        x1, x2 = self.synthesis.coarse(channels_last(2 * lr - 1), textures.attention, texture1, texture2)
        parts["coarse"].update(1)
        if not keep_textures and not torch.is_grad_enabled():
            del texture1, texture2
            cell_bytes = fine_cell_bytes(self.config, textures.attention.element_size(), num_references)
            sr = fine_in_strips(self.synthesis, x1, x2, textures, block_bytes // cell_bytes, parts["fine"])
            return sr, None
        texture4 = textures.level(2)
        sr = self.synthesis.fine(x1, x2, textures.attention, texture4)
        parts["fine"].update(1)
        if keep_textures and texture1 is not None and texture2 is not None and texture4 is not None:
            return sr, (texture1, texture2, texture4)
        return sr, None
