"""The network's parts worked out strip by strip, so that no full-size feature map has to fit into memory.

Every part is local: a strip with enough of a halo gives the same values as the whole. Strips are sets of whole rows;
of pictures of extreme width, sets of whole columns.
"""

from collections.abc import Iterator
from typing import NamedTuple, cast

import torch
from torch import Tensor

from ttsr.models.config import SCALE
from ttsr.models.correspondence.types import CELLS, Box, Grid, Textures
from ttsr.models.extractor import REACH, LearnableTextureExtractor
from ttsr.models.synthesis import SynthesisNetwork
from ttsr.progress import Progress

# From this ratio of width to height on, strips are columns.
_EXTREME = 8


def strip_dim(height: int, width: int) -> int:
    """The dimension of (B, C, H, W) tensors that strips divide: 2 for rows, 3 for columns."""
    return 3 if width > _EXTREME * height else 2


class Strip(NamedTuple):
    """Part of an axis: `start` to `end - 1`, and with its halo `first` to `last - 1`."""

    start: int
    end: int
    first: int
    last: int


def strips(length: int, step: int, halo: int) -> Iterator[Strip]:
    """The axis [0, length) in strips of `step` with `halo` on either side where the axis goes on."""
    for start in range(0, length, step):
        end = min(start + step, length)
        yield Strip(start, end, max(0, start - halo), min(end + halo, length))


def features_in_strips(
    extractor: LearnableTextureExtractor, image: Tensor, block_bytes: int
) -> Iterator[tuple[Strip, tuple[Tensor, ...]]]:
    """The extractor's three levels, coarse to fine, of an image strip by strip, without the halo.

    Args:
        extractor: the texture extractor.
        image: (B, 3, H, W) in [0, 1], H and W multiples of 4.
        block_bytes: what a strip's features may hold; with gradients, one strip is the whole.

    Yields:
        The strip in pixels of the image along `strip_dim`, and its features.
    """
    dim = strip_dim(*image.shape[2:])
    length, across = image.shape[dim], image.shape[5 - dim]
    step = length
    if not torch.is_grad_enabled():
        # Two full-size feature maps and what is left of the next levels are alive at a time.
        line_bytes = 3 * image.shape[0] * across * extractor.conv1_1.out_channels * image.element_size()
        step = max(SCALE, block_bytes // line_bytes // SCALE * SCALE)
        step = length if length <= step + 2 * REACH else step
    for strip in strips(length, step, REACH):
        levels = extractor(channels_last(image.narrow(dim, strip.first, strip.last - strip.first)))
        yield (
            strip,
            tuple(
                level.narrow(
                    dim, (strip.start - strip.first) // SCALE * cell, (strip.end - strip.start) // SCALE * cell
                )
                for level, cell in zip(levels, CELLS, strict=True)
            ),
        )


def coarse_features(extractor: LearnableTextureExtractor, image: Tensor, block_bytes: int) -> Tensor:
    """The coarse level, which queries and keys are made of: (B, 3, H, W) to (B, C3, H/4, W/4)."""
    dim, out = strip_dim(*image.shape[2:]), None
    for strip, (coarse, _, _) in features_in_strips(extractor, image, block_bytes):
        if strip.end - strip.start == image.shape[dim]:
            return coarse
        if out is None:
            height, width = (side // SCALE for side in image.shape[2:])
            out = channels_last(coarse.new_empty(*coarse.shape[:2], height, width))
        out.narrow(dim, strip.start // SCALE, coarse.shape[dim]).copy_(coarse)
    return cast(Tensor, out)


def fine_in_strips(
    synthesis: SynthesisNetwork,
    x1: Tensor,
    x2: Tensor,
    textures: Textures,
    block_cells: int,
    progress: Progress,
) -> Tensor:
    """`SynthesisNetwork.fine` strip by strip, each with its own 4x textures: (B, 3, 4h, 4w).

    `x1` and `x2` come from `SynthesisNetwork.coarse`. A strip holds `block_cells` LR cells of all images.
    """
    batch, _, height, width = x1.shape
    dim, halo = strip_dim(height, width), synthesis.fine_reach
    length, across = x1.shape[dim], x1.shape[5 - dim]
    sr = x1.new_empty(batch, 3, SCALE * height, SCALE * width, dtype=textures.attention.dtype)
    step = max(halo, block_cells // (batch * across) - 2 * halo)
    for strip in strips(length, step, halo):
        size = strip.last - strip.first
        box = Box(strip.first, strip.last, 0, width) if dim == 2 else Box(0, height, strip.first, strip.last)
        part = synthesis.fine(
            x1.narrow(dim, strip.first, size),
            x2.narrow(dim, 2 * strip.first, 2 * size),
            textures.attention.narrow(dim, strip.first, size),
            textures.level(2, box),
        )
        kept = part.narrow(dim, SCALE * (strip.start - strip.first), SCALE * (strip.end - strip.start))
        sr.narrow(dim, SCALE * strip.start, kept.shape[dim]).copy_(kept)
        progress.update(strip.end / length)
    return sr


def fine_strip_cells(lr_grid: Grid, reach: int) -> int:
    """LR cells of the smallest strip that `fine_in_strips` may be asked for, with its halo."""
    dim = strip_dim(*lr_grid)
    length, across = lr_grid[dim - 2], lr_grid[3 - dim]
    return across * min(length, 3 * reach)


def channels_last(x: Tensor) -> Tensor:
    """The layout in which CPU convolutions and the stored textures are fastest."""
    return x.contiguous(memory_format=torch.channels_last)
