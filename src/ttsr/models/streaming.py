"""The network's parts worked out tile by tile, so that no full-size feature map of a stage has to fit into memory.

Every part is local: a tile with enough overlap gives the same values as the whole (see `reach`). What memory a tile may
take is `block_bytes`; the bytes that its cells take, `cost` knows.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import cast

import torch
from torch import Tensor

from ttsr.models.config import SCALE
from ttsr.models.correspondence.types import CELLS, Box, Grid, Textures
from ttsr.models.cost import feature_cell_bytes
from ttsr.models.extractor import LearnableTextureExtractor
from ttsr.models.inputs import unit_range
from ttsr.models.reach import EXTRACTOR_PIXELS
from ttsr.models.synthesis import SynthesisNetwork
from ttsr.models.tiles import Tile, tiles
from ttsr.models.trunk import Trunk
from ttsr.progress import Progress

EXTRACTOR_REACH = EXTRACTOR_PIXELS // SCALE
"""In cells of 4x4 pixels."""


def part(features: Tensor, box: Box, cell: int = 1) -> Tensor:
    """The pixels (B, C, cell rows, cell columns) of a box of cells."""
    return features[:, :, cell * box.top : cell * box.bottom, cell * box.left : cell * box.right]


def features_in_tiles(
    extractor: LearnableTextureExtractor,
    level: int | None,
    image: Tensor,
    block_bytes: int,
    write: Callable[[Tensor, int, Box], None],
    progress: Progress,
) -> None:
    """Features of an image tile by tile, without the overlap.

    Args:
        extractor: the texture extractor.
        level: of the extractor, 0 to 2 from coarse to fine; None for all three.
        image: (B, 3, H, W), floats in [0, 1] or integers of their type's whole range; H and W multiples of 4.
        block_bytes: what a tile may take; with gradients, one tile is the whole.
        write: takes features in a box of cells, their level, and the box.
        progress: updated with each tile.
    """
    grid: Grid = (image.shape[2] // SCALE, image.shape[3] // SCALE)

    def work(tile: Tile) -> None:
        seen = channels_last(unit_range(part(image, tile.seen, SCALE)))
        found = enumerate(extractor(seen)) if level is None else [(level, extractor.level(seen, level))]
        for number, features in found:
            write(part(features, _within(tile), CELLS[number]), number, tile.kept)

    cells = block_bytes // feature_cell_bytes(extractor.widths) // image.shape[0]
    _each(work, _tiles_of(grid, EXTRACTOR_REACH, cells), progress)


def coarse_features(
    extractor: LearnableTextureExtractor,
    image: Tensor,
    block_bytes: int,
    progress: Progress | None = None,
    *,
    half: bool = False,
) -> Tensor:
    """The coarse level, which queries and keys are made of: (B, 3, H, W) to (B, C3, H/4, W/4).

    Without gradients in float32, even under autocast: rounded to 16 bits, other matches win where features are alike.
    """
    height, width = (side // SCALE for side in image.shape[2:])
    out: Tensor | None = None

    def write(features: Tensor, _: int, box: Box) -> None:
        nonlocal out
        if box == (0, height, 0, width):
            # In the layout of tiles put together: the order of a sum over channels, as in norms, goes by it.
            out = channels_last(features.half() if half else features)
            return
        if out is None:
            dtype = torch.float16 if half else features.dtype
            out = channels_last(features.new_empty(*features.shape[:2], height, width, dtype=dtype))
        part(out, box).copy_(features)

    precise = nullcontext() if torch.is_grad_enabled() else torch.autocast(image.device.type, enabled=False)
    with precise:
        features_in_tiles(extractor, 0, image, block_bytes, write, progress or Progress())
    return cast(Tensor, out)


def first_in_tiles(
    synthesis: SynthesisNetwork, lr: Tensor, textures: Textures, cells: int, progress: Progress
) -> tuple[Tensor, Tensor | None]:
    """`SynthesisNetwork.first` tile by tile, each with its own textures: (B, C, h, w), and the trunk's detail."""

    def stage(tile: Tile) -> tuple[Tensor, ...]:
        image = channels_last(2 * part(lr, tile.seen) - 1)
        x1, detail = synthesis.first(image, part(textures.attention, tile.seen), textures.level(0, tile.seen))
        return (x1,) if detail is None else (x1, detail)

    scales = (1, 1) if isinstance(synthesis.shallow, Trunk) else (1,)
    x1, *detail = _stage_in_tiles(stage, lr, synthesis.reach.first, cells, scales, progress)
    return x1, detail[0] if detail else None


def detail_in_tiles(synthesis: SynthesisNetwork, lr: Tensor, cells: int, progress: Progress) -> Tensor:
    """The trunk's detail alone, tile by tile: (B, 48, h, w)."""
    trunk = synthesis.shallow
    assert isinstance(trunk, Trunk)

    def stage(tile: Tile) -> tuple[Tensor, ...]:
        return (trunk(channels_last(2 * part(lr, tile.seen) - 1))[1],)

    return _stage_in_tiles(stage, lr, synthesis.reach.first, cells, (1,), progress)[0]


def second_in_tiles(
    synthesis: SynthesisNetwork, x1: Tensor, textures: Textures, cells: int, progress: Progress
) -> tuple[Tensor, Tensor]:
    """`SynthesisNetwork.second` tile by tile, each with its own textures: (B, C, h, w) and (B, C, 2h, 2w)."""

    def stage(tile: Tile) -> tuple[Tensor, ...]:
        seen = channels_last(part(x1, tile.seen))
        return synthesis.second(seen, part(textures.attention, tile.seen), textures.level(1, tile.seen))

    first, second = _stage_in_tiles(stage, x1, synthesis.reach.second, cells, (1, 2), progress)
    return first, second


def fine_in_tiles(
    synthesis: SynthesisNetwork,
    x1: Tensor,
    x2: Tensor,
    textures: Textures,
    base: Callable[[Box], Tensor | None],
    finish: Callable[[Tensor, Tensor | None], Tensor],
    cells: int,
    progress: Progress,
) -> Tensor:
    """`SynthesisNetwork.fine` tile by tile, each with its own textures: (B, 3, 4h, 4w).

    `base` gives for a box of LR cells what is added to, RGB (B, 3, 4 rows, 4 columns) in [-1, 1] or None, and `finish`
    makes of the network's RGB and of this what is kept.
    """

    def stage(tile: Tile) -> tuple[Tensor, ...]:
        below = base(tile.seen)
        rgb = synthesis.fine(
            channels_last(part(x1, tile.seen)),
            channels_last(part(x2, tile.seen, 2)),
            part(textures.attention, tile.seen),
            textures.level(2, tile.seen),
            below,
        )
        return (finish(rgb, below),)

    return _stage_in_tiles(stage, x1, synthesis.reach.fine, cells, (SCALE,), progress)[0]


def base_in_tiles(
    like: Tensor,
    base: Callable[[Box], Tensor | None],
    finish: Callable[[Tensor, Tensor | None], Tensor],
    cells: int,
    progress: Progress,
) -> Tensor:
    """What `finish` makes of the base alone, see `fine_in_tiles`, for an LR image `like`: (B, 3, 4h, 4w)."""

    def stage(tile: Tile) -> tuple[Tensor, ...]:
        return (finish(cast(Tensor, base(tile.seen)), None),)

    return _stage_in_tiles(stage, like, 0, cells, (SCALE,), progress)[0]


def channels_last(x: Tensor) -> Tensor:
    """The layout in which CPU convolutions and the stored textures are fastest."""
    return x.contiguous(memory_format=torch.channels_last)


def _stage_in_tiles(
    stage: Callable[[Tile], tuple[Tensor, ...]],
    like: Tensor,
    reach: int,
    cells: int,
    scales: tuple[int, ...],
    progress: Progress,
) -> tuple[Tensor, ...]:
    """What a stage gives for each tile, put together; its outputs are on the grids of `scales` times that of `like`."""
    batch, _, height, width = like.shape
    kept: list[Tensor] = []

    def work(tile: Tile) -> None:
        outputs = stage(tile)
        if tile.kept == (0, height, 0, width):
            kept.extend(outputs)
            return
        if not kept:
            for output, scale in zip(outputs, scales, strict=True):
                kept.append(channels_last(output.new_empty(batch, output.shape[1], scale * height, scale * width)))
        for whole, output, scale in zip(kept, outputs, scales, strict=True):
            part(whole, tile.kept, scale).copy_(part(output, _within(tile), scale))

    _each(work, _tiles_of((height, width), reach, cells // batch), progress)
    return tuple(kept)


def _tiles_of(grid: Grid, reach: int, cells: int) -> list[Tile]:
    """With gradients a single one."""
    return tiles(grid, reach, grid[0] * grid[1] if torch.is_grad_enabled() else cells)


def _each(work: Callable[[Tile], None], found: Sequence[Tile], progress: Progress) -> None:
    """Work on one tile after the other; cancelling is heeded between the blocks of the network too."""
    with progress.watched():
        for number, tile in enumerate(found, 1):
            work(tile)
            progress.update(number / len(found))


def _within(tile: Tile) -> Box:
    """What is kept of a tile, seen from its own first cell."""
    kept, (top, _, left, _) = tile
    return Box(kept.top - top, kept.bottom - top, kept.left - left, kept.right - left)
