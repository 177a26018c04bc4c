"""TTSR: extractor, matching, transfer and synthesis put together (Yang et al., CVPR 2020, figure 2).

`textbook.py` spells the same network out as the paper words it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from ttsr.errors import UserError
from ttsr.models.config import SCALE, TTSRConfig
from ttsr.models.correspondence.cell_transfer import CellTransfer
from ttsr.models.correspondence.exact import EXACT
from ttsr.models.correspondence.pixel_transfer import PixelTransfer
from ttsr.models.correspondence.relevance import relevance_at
from ttsr.models.correspondence.types import Box, EncodedReference, Matcher, Matches, Textures
from ttsr.models.cost import CellBytes, cell_bytes, count, spans
from ttsr.models.encoding import Encoder, LevelByLevel, luma_of
from ttsr.models.extractor import LearnableTextureExtractor
from ttsr.models.inputs import Inputs, ReferenceImage, ReferenceInput, check_inputs, check_reference, unit_range
from ttsr.models.output import TTSROutput, rounded
from ttsr.models.pretrained import Pretrained
from ttsr.models.streaming import (
    base_in_tiles,
    channels_last,
    coarse_features,
    detail_in_tiles,
    fine_in_tiles,
    first_in_tiles,
    part,
    second_in_tiles,
)
from ttsr.models.synthesis import SynthesisNetwork
from ttsr.models.trunk import Trunk, detail_image
from ttsr.progress import Progress
from ttsr.system.precision import at_least_float32


class TTSR(Pretrained, nn.Module):
    """Texture Transformer Network for image super-resolution, four times, with one or more references.

    Images are float BCHW RGB in [0, 1].
    """

    def __init__(self, config: TTSRConfig | None = None) -> None:
        super().__init__()
        self.config = config or TTSRConfig()
        radius = self.config.refinement_radius
        self.extractor = LearnableTextureExtractor(self.config.extractor_channels)
        self.synthesis = SynthesisNetwork(self.config)
        self.transfer = PixelTransfer(radius) if radius else CellTransfer()

    def forward(
        self,
        lr: Tensor,
        ref: ReferenceInput | Sequence[ReferenceInput],
        *,
        lr_up: Tensor | None = None,
        ref_blur: Tensor | Sequence[Tensor] | None = None,
        ref_mask: Tensor | Sequence[Tensor | None] | None = None,
        base: Tensor | None = None,
        matcher: Matcher = EXACT,
        start: Tensor | None = None,
        block_bytes: int = 2**30,
        keep_textures: bool = True,
        half_features: bool = False,
        sr_type: torch.dtype | None = None,
        progress: Progress | None = None,
        shares: Mapping[str, float] | None = None,
    ) -> TTSROutput:
        """Super-resolve a batch.

        With no reference at all, `()`, nothing is transferred: neither the extractor nor the soft attention is computed
        or gets a gradient. Of a network with a trunk nothing but the trunk is.

        Args:
            lr: (B, 3, h, w).
            ref: one or several of (B, 3, H, W), of any sizes from 4x4 on (the last rows and columns that make no whole
                four are left out), or their `encode_reference` or `check_reference`. These images, lr_up and ref_blur
                may also be uint8 or uint16, of which only what is being worked on is converted.
            lr_up: (B, 3, 4h, 4w); made by antialiased bicubic where not given.
            ref_blur: as ref, the references at a quarter of their size and back; likewise.
            ref_mask: as ref, (B, H/4, W/4) bool, False for cells that must not be matched, such as padding; refinement
                may still move a match so many pixels into them. For encoded references `encode_reference` takes it.
            base: (B, 3, 4h, 4w), another enlargement that what the network adds is added to, in place of lr_up and of
                the trunk's detail; floats or integers. For networks with `bicubic_skip`.
            matcher: the search to match by.
            start: (B, h, w), an index that matchers which improve one try too, such as the previous frame's.
            block_bytes: about what one block of the streamed parts may hold. Without gradients the extractor and the
                search are streamed; with `keep_textures=False` so are the transfer and the synthesis, and references
                that are not encoded are encoded level by level, as each is needed.
            keep_textures: return the textures.
            half_features: store queries, and keys and textures of references that are encoded level by level, in fp16.
            sr_type: torch.uint8 or torch.uint16 for a picture rounded to them; None for floats.
            progress: updated throughout; cancels the pass.
            shares: how long each stage of `cost.Cost` takes in proportion, for the progress; where not given, by
                multiply-adds.

        Raises:
            UserError: types, devices, sizes or channels do not fit, values are not finite or far beyond [0, 1], or of
                some image every cell of all references is masked. It is a ValueError.
        """
        self._check_place(lr, "lr")
        for given in (lr_up, base, ref, ref_blur):
            for image in given if isinstance(given, list | tuple) else [given]:
                self._check_place(image, "an image")
        inputs = check_inputs(lr, ref, lr_up, ref_blur, ref_mask)
        if base is not None and not (self.config.bicubic_skip and base.shape == inputs.lr_up.shape):
            raise UserError(f"base {tuple(base.shape)}: needs bicubic_skip, and 4 x lr {tuple(lr.shape)}")

        def below_in(detail: Tensor | None, box: Box) -> Tensor | None:
            return self.base(inputs.lr_up, detail, box) if base is None else self.base(base, None, box)

        streamed = not keep_textures and not torch.is_grad_enabled()
        half = half_features and streamed
        parts = self._parts(inputs, streamed, shares, progress or Progress())
        sizes = cell_bytes(self.config, len(inputs.references))
        encoder = Encoder(self.extractor, self.transfer, block_bytes, half=half)

        encode = encoder.by_level if streamed else encoder.at_once
        references, matches, queries = self._match(inputs, encode, matcher, start, block_bytes, half, parts)
        queries = queries if keep_textures else None
        if references:
            lr_luma = luma_of(inputs.lr_up) if self.transfer.needs_luma else None
            textures = self.transfer(matches, references, lr_luma, parts["refinement"])
            del lr_luma
        else:
            textures = Textures(matches.relevance.expand(-1, 3, -1, -1))
        parts["refinement"].update(1)

        def finish(rgb: Tensor, below: Tensor | None = None) -> Tensor:
            if below is not None:
                rgb = rgb + below
            if not self.training:
                rgb = rgb.clamp(-1, 1)
            return rounded((rgb + 1) / 2, sr_type)

        kept = alone = None
        if streamed:
            sr = self._streamed(inputs, below_in, textures, references, block_bytes, sizes, finish, parts)
        else:
            image, whole = channels_last(2 * lr - 1), Box(0, lr.shape[2], 0, lr.shape[3])
            if isinstance(self.synthesis.shallow, Trunk) and not references:
                below = below_in(self.synthesis.shallow(image)[1], whole)
                sr = finish(cast(Tensor, below))
            else:
                texture1, texture2 = textures.level(0), textures.level(1)
                x1, x2, detail = self.synthesis.coarse(image, textures.attention, texture1, texture2)
                below, texture4 = below_in(detail, whole), textures.level(2)
                sr = finish(self.synthesis.fine(x1, x2, textures.attention, texture4, below), below)
                if keep_textures and texture1 is not None and texture2 is not None and texture4 is not None:
                    kept = texture1, texture2, texture4
            alone = finish(below) if self.config.trunk_channels and below is not None else None
            parts["fine"].update(1)
        return TTSROutput(sr, matches, textures.attention, textures.refinement, kept, queries, alone)

    def encode_reference(
        self,
        ref: Tensor,
        ref_blur: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        block_bytes: int = 2**30,
        progress: Progress | None = None,
    ) -> EncodedReference:
        """Keys and textures of a reference, to be used for any number of LR images.

        Args:
            ref: (B, 3, H, W) of 4x4 at least; the last rows and columns that make no whole four are left out, as the
                authors do.
            ref_blur: the reference at a quarter of its size and back; made by antialiased bicubic where not given.
            mask: (B, H // 4, W // 4) bool, True where a cell may be matched; all where not given.
            block_bytes: about what the features of a tile may hold.
            progress: updated throughout; cancels the work.

        Raises:
            UserError: as `forward`.
        """
        self._check_place(ref, "ref")
        self._check_place(ref_blur, "ref_blur")
        encoder = Encoder(self.extractor, self.transfer, block_bytes)
        return encoder.at_once(check_reference(ref, ref_blur, mask), progress or Progress())

    def _check_place(self, image: object, name: str) -> None:
        """See that an image, if it is a tensor, lies where the network does, and that floats are of its type."""
        weight = self.extractor.conv1_1.weight
        if not isinstance(image, Tensor) or torch.compiler.is_compiling():
            return
        if image.device.type != weight.device.type:
            raise UserError(f"{name} lies on {image.device}, the network on {weight.device}", "move one to the other")
        casts = torch.is_autocast_enabled(image.device.type)
        if image.is_floating_point() and image.dtype != weight.dtype and not casts:
            raise UserError(f"{name} is {image.dtype}, and the network {weight.dtype}", "convert one of them")

    def _parts(
        self, inputs: Inputs, by_level: bool, shares: Mapping[str, float] | None, progress: Progress
    ) -> dict[str, Progress]:
        """For each stage of `Cost` its part of the whole."""
        if shares is None or not sum(shares.values()):
            new = [r.grid for r in inputs.references if isinstance(r, ReferenceImage)]
            kept = [r.grid for r in inputs.references if isinstance(r, EncodedReference)]
            shares = vars(count(self.config, inputs.lr_grid, new, kept, by_level=by_level))
        return {name: progress.part(*span, _LABELS.get(name, name)) for name, span in spans(shares).items()}

    def _match(
        self,
        inputs: Inputs,
        encode: Callable[[ReferenceImage, Progress], EncodedReference],
        matcher: Matcher,
        start: Tensor | None,
        block_bytes: int,
        half: bool,
        parts: dict[str, Progress],
    ) -> tuple[list[EncodedReference], Matches, Tensor | None]:
        """References without keys, matches, and queries, with gradients of the relevance where they are wanted."""
        references, new = [], [r for r in inputs.references if isinstance(r, ReferenceImage)]
        total, done = sum(r.grid[0] * r.grid[1] for r in new), 0
        for reference in inputs.references:
            if isinstance(reference, ReferenceImage):
                cells = reference.grid[0] * reference.grid[1]
                share = parts["references"].part(done / total, (done + cells) / total)
                reference, done = encode(reference, share), done + cells
            references.append(reference)
        parts["references"].update(1)
        lr = inputs.lr
        if not references:
            relevance = lr.new_zeros(lr.shape[0], 1, *inputs.lr_grid)
            return [], Matches(relevance, torch.full_like(relevance[:, 0], -1, dtype=torch.long)), None
        queries = coarse_features(self.extractor, inputs.lr_up, block_bytes, parts["queries"], half=half)
        # Whatever features are stored in, cosines are compared in 32 bits: rounded, most matches would tie.
        keys, masks = [r.keys for r in references], [r.mask for r in references]
        search = partial(matcher, masks=masks, block_bytes=block_bytes, progress=parts["matching"])
        matches = search(queries, keys, start=start)
        parts["matching"].update(1)
        if torch.is_grad_enabled():
            matches = Matches(
                relevance_at(at_least_float32(queries), [at_least_float32(k) for k in keys], matches.index),
                matches.index,
            )
        return [r.without_keys() for r in references], matches, queries

    def base(self, enlarged: Tensor, detail: Tensor | None, box: Box) -> Tensor | None:
        """What the synthesis is added to in a box of LR cells, RGB in [-1, 1]; None for the published network.

        An enlargement of the LR, with the trunk's detail where it lacks that.
        """
        if not self.config.bicubic_skip:
            return None
        image = 2 * unit_range(part(enlarged, box, SCALE)) - 1
        return image if detail is None else image + detail_image(part(detail, box))

    def _streamed(
        self,
        inputs: Inputs,
        below_in: Callable[[Tensor | None, Box], Tensor | None],
        textures: Textures,
        references: Sequence[EncodedReference],
        block_bytes: int,
        sizes: CellBytes,
        finish: Callable[[Tensor, Tensor | None], Tensor],
        parts: dict[str, Progress],
    ) -> Tensor:
        """The synthesis tile by tile, with one level of textures at a time."""
        lr, synthesis = inputs.lr, self.synthesis
        if self.config.trunk_channels and not references:
            detail = detail_in_tiles(synthesis, lr, block_bytes // sizes.first, parts["first"])
            return base_in_tiles(lr, partial(below_in, detail), finish, block_bytes // sizes.fine, parts["fine"])
        _prepare(references, 0, parts["texture1"])
        x1, detail = first_in_tiles(synthesis, lr, textures, block_bytes // sizes.first, parts["first"])
        _prepare(references, 1, parts["texture2"])
        x1, x2 = second_in_tiles(synthesis, x1, textures, block_bytes // sizes.second, parts["second"])
        _prepare(references, 2, parts["texture4"])
        base, cells = partial(below_in, detail), block_bytes // sizes.fine
        return fine_in_tiles(synthesis, x1, x2, textures, base, finish, cells, parts["fine"])


def _prepare(references: Sequence[EncodedReference], level: int, progress: Progress) -> None:
    """Encode a level of those references that are encoded level by level."""
    waiting = [(r.grid[0] * r.grid[1], r.textures) for r in references if isinstance(r.textures, LevelByLevel)]
    total, done = sum(cells for cells, _ in waiting), 0
    for cells, textures in waiting:
        textures.prepare(level, progress.part(done / total, (done + cells) / total))
        done += cells
    progress.update(1)


# What the stages are called in a progress, where not by their own names.
_LABELS = {"texture1": "references", "first": "synthesis", "texture2": "references", "second": "synthesis"}
_LABELS |= {"texture4": "references", "fine": "synthesis"}
