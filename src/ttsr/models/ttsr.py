"""TTSR: extractor, search, transfer and synthesis put together (Yang et al., CVPR 2020, figure 2)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ttsr.models import extractor as extractors
from ttsr.models.blocks import in_strips
from ttsr.models.config import SCALE, TTSRConfig
from ttsr.models.correspondence.exact import relevance_at, search
from ttsr.models.correspondence.matches import Matches
from ttsr.models.correspondence.patches import empty_table, write_cells
from ttsr.models.correspondence.reference import CELLS, ReferenceFeatures
from ttsr.models.correspondence.refine import Alignment, align, coherence, luma
from ttsr.models.extractor import LearnableTextureExtractor
from ttsr.models.precision import at_least_float32
from ttsr.models.stages import Progress, Stages
from ttsr.models.synthesis import SynthesisNetwork


@dataclass(frozen=True)
class TTSROutput:
    """What a forward pass gives.

    sr: (B, 3, 4h, 4w) RGB; in [0, 1] in eval mode, not clamped while training.
    relevance: (B, 1, h, w), the soft-attention map S: cosine of each cell's best match; 0 where there is no reference.
    attention: (B, 3, h, w), how far each level's texture is let in, coarse to fine: S, or with `alignment` the trust.
    index: (B, h, w) int64, flat over the references' (H/4, W/4) grids laid end to end; -1 where there is no reference.
    alignment: where in the references that is to the pixel; None for the published network or if there is no reference.
    textures: transferred textures, coarse to fine: (B, C3, h, w), (B, C2, 2h, 2w), (B, C1, 4h, 4w); None if not kept or
        if there is no reference.
    queries: (B, C3, h, w), the features of lr_up that were looked up among the keys; None in the same cases.
    """

    sr: Tensor
    relevance: Tensor
    attention: Tensor
    index: Tensor
    alignment: Alignment | None
    textures: tuple[Tensor, Tensor, Tensor] | None
    queries: Tensor | None


class TTSR(nn.Module):
    """Texture Transformer Network for image super-resolution, four times, with one or more references.

    Images are float BCHW RGB in [0, 1].
    """

    def __init__(self, config: TTSRConfig | None = None) -> None:
        super().__init__()
        self.config = config or TTSRConfig()
        fine, middle, coarse = self.config.extractor_channels
        self.extractor = LearnableTextureExtractor(self.config.extractor_channels)
        widths = coarse, middle, fine
        self.synthesis = SynthesisNetwork(
            self.config.channels, self.config.num_blocks, widths, has_trust=self.config.alignment > 0
        )

    def forward(
        self,
        lr: Tensor,
        ref: Tensor | ReferenceFeatures | Sequence[Tensor | ReferenceFeatures],
        *,
        lr_up: Tensor | None = None,
        ref_blur: Tensor | Sequence[Tensor] | None = None,
        ref_mask: Tensor | Sequence[Tensor | None] | None = None,
        block_bytes: int = 2**30,
        keep_textures: bool = True,
        progress: Progress | None = None,
    ) -> TTSROutput:
        """Super-resolve a batch.

        lr: (B, 3, h, w). ref: one or several of (B, 3, H, W), of any sizes from 4x4 on (the last rows and columns that
        make no whole four are left out), or their `encode_reference`. lr_up (B, 3, 4h, 4w) and ref_blur (as ref): made
        by antialiased bicubic where not given.
        ref_mask: as ref, (B, H/4, W/4) bool, False for cells that must not be matched, such as padding; `alignment` may
        still move a match so many pixels into them. Of an encoded reference, `encode_reference` takes it.
        With no reference at all, `()`, nothing is transferred: relevance 0 closes every texture path, and neither the
        extractor nor the soft attention is computed or gets a gradient.
        block_bytes: about what one block of the streamed parts may hold. Without gradients the extractor, the search
        and the transfer are streamed; with `keep_textures=False` so are the 4x textures and the 4x stage.
        progress: called with the fraction of the work done.

        Raises:
            ValueError: sizes or channels that do not fit, or of some image every cell of all references is masked.
        """
        _check(lr, "lr", 1)
        references = list(ref) if isinstance(ref, Sequence) else [ref]
        blurred = _one_each(ref_blur, len(references), "blurred ones")
        masks = _one_each(ref_mask, len(references), "masks")
        if lr_up is None:
            lr_up = resize(lr, SCALE)
        elif lr_up.shape != (*lr.shape[:2], SCALE * lr.shape[2], SCALE * lr.shape[3]):
            raise ValueError(f"lr_up is {tuple(lr_up.shape)}, which is not 4 x lr {tuple(lr.shape)}")
        for r in references:
            batch = r.keys.shape[0] if isinstance(r, ReferenceFeatures) else r.shape[0]
            if batch != lr.shape[0]:
                raise ValueError(f"a batch of {lr.shape[0]} LR images with one of {batch} references")
        grids = [
            r.grid if isinstance(r, ReferenceFeatures) else (r.shape[2] // SCALE, r.shape[3] // SCALE)
            for r in references
        ]
        encoded = all(isinstance(r, ReferenceFeatures) for r in references)
        stages = Stages(self.config, (lr.shape[2], lr.shape[3]), grids, encoded, progress)

        features = [
            self._encoded(r, blur, mask, block_bytes) for r, blur, mask in zip(references, blurred, masks, strict=True)
        ]
        stages.end("references")
        if features:
            queries = self._coarse_features(lr_up, block_bytes)
            stages.end("queries")
            relevance, index = _match(queries, features, block_bytes, stages)
        else:
            queries = None
            relevance = lr.new_zeros(lr.shape[0], 1, *lr.shape[2:])
            index = torch.full_like(relevance[:, 0], -1, dtype=torch.long)
        kept_queries = queries if keep_textures else None
        del queries
        alignment = self._aligned(lr_up, features, index)
        matches = Matches(index, features, alignment)
        attention = self._attention(relevance, alignment)
        stages.end("search")
        textures, sr = self._synthesise(lr, matches, attention, block_bytes, keep_textures, stages)
        if self.config.bicubic_skip:
            sr = sr + (2 * lr_up - 1)
        if not self.training:
            sr = sr.clamp(-1, 1)
        return TTSROutput((sr + 1) / 2, relevance, attention, index, alignment, textures, kept_queries)

    def encode_reference(
        self, ref: Tensor, ref_blur: Tensor | None = None, mask: Tensor | None = None, *, block_bytes: int = 2**30
    ) -> ReferenceFeatures:
        """Keys and texture tables of a reference (B, 3, H, W) of 4x4 at least.

        The last rows and columns that make no whole four are left out, as the authors do.
        ref_blur: the reference at a quarter of its size and back; made by antialiased bicubic where not given.
        mask: (B, H // 4, W // 4) bool, True where a cell may be matched; all where not given.

        Raises:
            ValueError: sizes or channels that do not fit.
        """
        _check(ref, "ref", SCALE)
        if ref_blur is not None and ref_blur.shape != ref.shape:
            raise ValueError(f"ref_blur is {tuple(ref_blur.shape)}, ref {tuple(ref.shape)}")
        ref = _whole_cells(ref)
        grid = (ref.shape[2] // SCALE, ref.shape[3] // SCALE)
        if mask is not None and (mask.dtype != torch.bool or mask.shape != (ref.shape[0], *grid)):
            wanted = f"bool {(ref.shape[0], *grid)}"
            raise ValueError(f"the mask of a reference must be {wanted}, not {mask.dtype} {tuple(mask.shape)}")
        ref_blur = resize(resize(ref, 1 / SCALE), SCALE) if ref_blur is None else _whole_cells(ref_blur)
        keys = self._coarse_features(ref_blur, block_bytes)
        fine, middle, coarse = self.config.extractor_channels
        aligned = self.config.alignment > 0
        tables = tuple(
            keys.new_empty(keys.shape[0], cell * grid[0] * cell * grid[1], width)
            if aligned
            else empty_table(keys, grid, cell * cell * width)
            for cell, width in zip(CELLS, (coarse, middle, fine), strict=True)
        )
        height, rows, halo = ref.shape[2], self._strip_rows(ref, block_bytes), extractors.REACH
        for top in range(0, height, rows):
            first = max(0, top - halo)
            levels = self.extractor(_channels_last(ref[:, :, first : top + rows + halo]))
            for table, level, cell in zip(tables, levels, CELLS, strict=True):
                skip, take = (top - first) // SCALE * cell, min(rows, height - top) // SCALE * cell
                rows_of_level = level[:, :, skip : skip + take]
                if aligned:
                    first_pixel = top // SCALE * cell * level.shape[3]
                    pixels = rows_of_level.flatten(2).transpose(1, 2)
                    table[:, first_pixel : first_pixel + pixels.shape[1]] = pixels
                else:
                    write_cells(table, rows_of_level, cell, top // SCALE)
        return ReferenceFeatures(keys, (tables[0], tables[1], tables[2]), mask, luma(ref_blur) if aligned else None)

    def _aligned(self, lr_up: Tensor, features: list[ReferenceFeatures], index: Tensor) -> Alignment | None:
        lumas = [f.luma for f in features if f.luma is not None]
        return align(luma(lr_up), lumas, index, self.config.alignment) if lumas else None

    def _attention(self, relevance: Tensor, alignment: Alignment | None) -> Tensor:
        """(B, 3, h, w): how far each level's texture is let in."""
        if self.synthesis.trust is None or alignment is None:
            return relevance.expand(-1, 3, -1, -1)
        return self.synthesis.trust(relevance, alignment.correlation, coherence(alignment))

    def _encoded(
        self, ref: Tensor | ReferenceFeatures, ref_blur: Tensor | None, mask: Tensor | None, block_bytes: int
    ) -> ReferenceFeatures:
        if isinstance(ref, Tensor):
            return self.encode_reference(ref, ref_blur, mask, block_bytes=block_bytes)
        if mask is not None:
            raise ValueError("a mask for a reference that is encoded already: give it to encode_reference")
        return ref

    def _coarse_features(self, image: Tensor, block_bytes: int) -> Tensor:
        rows = self._strip_rows(image, block_bytes)
        return in_strips(self.extractor.coarse, _channels_last(image), rows=rows, halo=extractors.REACH, scale=SCALE)

    def _strip_rows(self, image: Tensor, block_bytes: int) -> int:
        """Rows of an image, a multiple of 4, whose extractor features fit a block; all of them where gradients flow."""
        if torch.is_grad_enabled():
            return image.shape[2]
        # Two full-size feature maps and what is left of the next levels are alive at a time.
        row_bytes = 3 * image.shape[0] * image.shape[3] * self.config.extractor_channels[0] * image.element_size()
        return max(SCALE, block_bytes // row_bytes // SCALE * SCALE)

    def _synthesise(
        self,
        lr: Tensor,
        matches: Matches,
        attention: Tensor,
        block_bytes: int,
        keep_textures: bool,
        stages: Stages,
    ) -> tuple[tuple[Tensor, Tensor, Tensor] | None, Tensor]:
        height, width = lr.shape[2:]
        texture = matches.texture
        texture1, texture2 = texture(0, 0, height), texture(1, 0, height)
        x1, x2 = self.synthesis.coarse(_channels_last(2 * lr - 1), attention, texture1, texture2)
        stages.end("coarse")
        if keep_textures or torch.is_grad_enabled():
            texture4 = texture(2, 0, height)
            sr = self.synthesis.fine(x1, x2, attention, texture4)
            stages.end("fine")
            if keep_textures and texture1 is not None and texture2 is not None and texture4 is not None:
                return (texture1, texture2, texture4), sr
            return None, sr

        del texture1, texture2
        sr = lr.new_empty(lr.shape[0], 3, SCALE * height, SCALE * width)
        row_bytes = lr.shape[0] * self.config.fine_row_bytes(width, lr.element_size(), len(matches.features))
        halo = self.synthesis.fine_reach
        rows = max(halo, block_bytes // row_bytes - 2 * halo)
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            first, last = max(0, top - halo), min(bottom + halo, height)
            strip = self.synthesis.fine(
                x1[:, :, first:last],
                x2[:, :, 2 * first : 2 * last],
                attention[:, :, first:last],
                texture(2, first, last),
            )
            sr[:, :, SCALE * top : SCALE * bottom] = strip[:, :, SCALE * (top - first) : SCALE * (bottom - first)]
            stages.within("fine", bottom / height)
        return None, sr


def _match(
    queries: Tensor, features: list[ReferenceFeatures], block_bytes: int, stages: Stages
) -> tuple[Tensor, Tensor]:
    """Relevance and index, with gradients to queries and keys where they are wanted."""
    # Where the network computes in 16 bits the cosines are still compared in 32: rounded, most matches would tie.
    queries, keys = at_least_float32(queries), [at_least_float32(f.keys) for f in features]
    relevance, index = search(
        queries,
        keys,
        masks=[f.mask for f in features],
        block_bytes=block_bytes,
        progress=lambda done: stages.within("search", done),
    )
    if torch.is_grad_enabled():
        relevance = relevance_at(queries, keys, index)
    return relevance, index


def _one_each(given: Tensor | Sequence[Tensor | None] | None, number: int, what: str) -> list[Tensor | None]:
    """What is given for each of `number` references: a tensor for the only one, a sequence, or nothing."""
    one_each: list[Tensor | None] = [given] if isinstance(given, Tensor) else [*(given or [None] * number)]
    if len(one_each) != number:
        raise ValueError(f"{number} references with {len(one_each)} {what}")
    return one_each


def resize(image: Tensor, scale: float) -> Tensor:
    """Antialiased bicubic, clamped to [0, 1]: (B, 3, H, W) to (B, 3, scale H, scale W)."""
    size = [round(side * scale) for side in image.shape[2:]]
    return F.interpolate(image, size=size, mode="bicubic", antialias=True).clamp(0, 1)


def _channels_last(x: Tensor) -> Tensor:
    """The layout in which CPU convolutions and the texture tables are fastest."""
    return x.contiguous(memory_format=torch.channels_last)


def _whole_cells(image: Tensor) -> Tensor:
    height, width = (side // SCALE * SCALE for side in image.shape[2:])
    return image[:, :, :height, :width]


def _check(image: Tensor, name: str, smallest: int) -> None:
    good = image.dim() == 4 and image.shape[1] == 3 and min(image.shape[2:]) >= smallest
    if not good or not image.is_floating_point():
        sizes = f"float (B, 3, H, W), H and W at least {smallest}"
        raise ValueError(f"{name} must be {sizes}, not {image.dtype} {tuple(image.shape)}")
