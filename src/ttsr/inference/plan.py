"""Before the work: how long it will take, what memory it needs, and blocks that fit the memory it may use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from ttsr.errors import UserError
from ttsr.inference.calibration import matching_units, seconds_per_unit
from ttsr.models.config import SCALE, TTSRConfig
from ttsr.models.correspondence.exact import EXACT
from ttsr.models.correspondence.types import Grid, Matcher, MatchingCost
from ttsr.models.cost import cell_bytes, count, refinement_cost
from ttsr.models.reach import synthesis_reach
from ttsr.models.streaming import EXTRACTOR_REACH
from ttsr.models.tiles import overlap_factor, smallest_tile_cells
from ttsr.options import Precision
from ttsr.system.memory import available_bytes, gigabytes, used_bytes
from ttsr.system.precision import bytes_per_value

# Blocks larger than this are no faster, smaller ones compute much twice.
LARGEST_BLOCK = {"cpu": 512 * 2**20, "cuda": 1024 * 2**20, "mps": 256 * 2**20}
# With less than this for blocks, features are stored in 16 bits.
_ENOUGH_BLOCK = 96 * 2**20
SMALLEST_BLOCK = 8 * 2**20
# The streamed parts use up to so many times `block_bytes` at once; on a GPU the search's products, sums along x,
# patches and cosines.
BLOCKS_ALIVE = {"cpu": 1, "cuda": 4, "mps": 4}
# Freed memory that the allocator keeps, libraries that load at first use.
_SLACK = 96 * 2**20
# Encoded references are kept for later pictures where this share of what may be used suffices for all.
_KEPT_SHARE = 0.5
# Without a limit: other programs want some too.
_DEFAULT_SHARE = 0.8


@dataclass(frozen=True)
class Plan:
    """What one picture will take.

    Attributes:
        seconds: estimated time.
        memory_bytes: estimated peak of the whole process (of the GPU's memory on a GPU).
        block_bytes: what one block of the streamed parts may hold.
        keep_references: there is room to keep what references are encoded to; else they are encoded level by level.
        half_features: features are stored in 16 bits, since there is no room for 32.
        stages: estimated seconds of each stage of `ttsr.models.cost.Cost`.
    """

    seconds: float
    memory_bytes: int
    block_bytes: int
    keep_references: bool = True
    half_features: bool = False
    stages: Mapping[str, float] = field(default_factory=dict)


def make_plan(
    config: TTSRConfig,
    lr: Grid,
    kept: Sequence[Grid],
    new: Sequence[Grid],
    *,
    device: torch.device,
    precision: Precision = "fp32",
    matcher: Matcher = EXACT,
    max_memory: int | None = None,
    free: int | None = None,
    keep_new: bool = True,
) -> Plan:
    """Estimate time and memory of one upscale, and choose the blocks.

    `lr` is (h, w) of the LR picture; `kept` and `new` are (H/4, W/4) of the references that are encoded already, and of
    those still to be encoded. `max_memory` is what the whole process may take; by default a share of what is free.
    `free` are the bytes that will be free, by default those of now. `keep_new` says whether new references may be kept
    for later pictures.

    Raises:
        UserError: even the smallest blocks do not fit.
    """
    used, room = _room(device, max_memory, free)
    alive, largest = BLOCKS_ALIVE[device.type], _largest_block(config, lr, [*kept, *new], device)
    smallest = min(largest, _smallest_block(config, lr, len(kept) + len(new)))

    def fixed(*, keep: bool = False, half: bool = False) -> int:
        element = 2 if half else 4
        matching = matcher.cost(lr, [*kept, *new], config.extractor_channels[2], element)
        texture = 2 if half else bytes_per_value(precision)
        return fixed_bytes(config, lr, kept, new, matching, element=element, texture=texture, keep=keep)

    keep = keep_new and bool(new) and fixed(keep=True) + alive * largest <= _KEPT_SHARE * room
    needed, half = fixed(keep=keep), False
    if needed + alive * max(smallest, min(largest, _ENOUGH_BLOCK)) > room:
        needed, half = fixed(half=True), True
    if needed + alive * smallest > room:
        limit = used + room if max_memory is None else min(used + room, max_memory)  # which may be exceeded already
        raise _too_little(used + needed + alive * smallest, limit, max_memory)
    block = max(smallest, min(largest, (room - needed) // alive))
    matching = matcher.cost(lr, [*kept, *new], config.extractor_channels[2], 4)
    stages = _stage_seconds(config, lr, kept, new, matching, keep, block, device, precision, matcher)
    return Plan(sum(stages.values()), used + needed + alive * block, block, keep, half, stages)


def encoding_block_bytes(
    config: TTSRConfig,
    grids: Sequence[Grid],
    *,
    device: torch.device,
    precision: Precision = "fp32",
    max_memory: int | None = None,
) -> int | None:
    """The blocks to encode references of these (H/4, W/4) in, to be kept; None where there is no room to keep them."""
    _, room = _room(device, max_memory)
    fine, middle, coarse = config.extractor_channels
    cell = 4 * coarse + (coarse + 4 * middle + 16 * fine) * bytes_per_value(precision) + 16 * (6 + 4)
    block = _largest_block(config, None, grids, device)
    needed = cell * sum(height * width for height, width in grids) + BLOCKS_ALIVE[device.type] * block + _SLACK
    return block if needed <= _KEPT_SHARE * room else None


def fixed_bytes(
    config: TTSRConfig,
    lr: Grid,
    kept: Sequence[Grid],
    new: Sequence[Grid],
    matching: MatchingCost,
    *,
    element: int = 4,
    texture: int = 4,
    keep: bool = False,
) -> int:
    """Bytes that no choice of blocks can save, beside the model, the pictures and what is encoded already.

    Args:
        config: as in `make_plan`, like the next three.
        lr: see there.
        kept: see there.
        new: see there.
        matching: what the search takes.
        element: bytes of a number of queries and keys.
        texture: bytes of a number of textures.
        keep: new references are encoded at once and kept.
    """
    fine, middle, coarse = config.extractor_channels
    cells, fresh = lr[0] * lr[1], sum(height * width for height, width in new)
    luma = 4 * 16 * (cells + fresh) if config.refinement_radius else 0
    all_luma = 4 * 16 * sum(height * width for height, width in [*kept, *new]) if config.refinement_radius else 0
    # References, their blurred copies, the enlarged picture and the result, in 8 bits and some of them twice.
    pictures = 48 * (2 * fresh + 4 * cells)
    keys, levels = coarse * element * fresh, [coarse * texture, 4 * middle * texture, 16 * fine * texture]
    always = pictures + luma + 100 * cells
    if keep:
        always, keys, levels = always + (keys + sum(levels) * fresh), 0, [0, 0, 0]
    first, second, _ = config.widths
    on_1x, on_2x = 4 * first * cells, 4 * 4 * second * cells
    detail = 4 * 3 * SCALE**2 * cells if config.trunk_channels else 0  # kept until the end
    stages = [
        keys + coarse * element * cells + matching.memory_bytes,
        all_luma + 2 * 4 * 16 * cells + 150 * cells if refinement_cost(config, 1).luma_bytes else 0,
        levels[0] * fresh + on_1x + detail,
        levels[1] * fresh + 2 * on_1x + on_2x + detail,
        levels[2] * fresh + on_1x + on_2x + detail,
    ]
    return always + max(stages) + _SLACK


def _stage_seconds(
    config: TTSRConfig,
    lr: Grid,
    kept: Sequence[Grid],
    new: Sequence[Grid],
    matching: MatchingCost,
    keep: bool,
    block: int,
    device: torch.device,
    precision: Precision,
    matcher: Matcher,
) -> dict[str, float]:
    """By the measured speed of each stage, and what its tiles compute twice."""
    cost = count(config, lr, new, kept, matching_units(matching), by_level=not keep)
    rates = seconds_per_unit(config, device, precision, matcher)
    reach, sizes = synthesis_reach(config), cell_bytes(config, len(kept) + len(new))
    stages = {name: rates[name] * units for name, units in vars(cost).items()}
    for name, tile_reach, cell in (
        ("first", reach.first, sizes.first),
        ("second", reach.second, sizes.second),
        ("fine", reach.fine, sizes.fine),
    ):
        stages[name] *= overlap_factor(lr, tile_reach, block // cell)
    stages["queries"] *= overlap_factor(lr, EXTRACTOR_REACH, block // sizes.features)
    return stages


def _room(device: torch.device, max_memory: int | None, free: int | None = None) -> tuple[int, int]:
    """Bytes in use, and how many more may be."""
    used, free = used_bytes(device), available_bytes(device) if free is None else free
    return used, int(_DEFAULT_SHARE * free) if max_memory is None else max(0, min(free, max_memory - used))


def _largest_block(config: TTSRConfig, lr: Grid | None, references: Sequence[Grid], device: torch.device) -> int:
    """No block grows beyond the whole of what it is a block of."""
    sizes = cell_bytes(config, max(1, len(references)))
    lr_cells = lr[0] * lr[1] if lr else 0
    cells = max([lr_cells, *(height * width for height, width in references)])
    whole = max(lr_cells * max(sizes), cells * sizes.features)
    return max(SMALLEST_BLOCK, min(LARGEST_BLOCK[device.type], whole))


def _smallest_block(config: TTSRConfig, lr: Grid, num_references: int) -> int:
    reach, sizes = synthesis_reach(config), cell_bytes(config, num_references)
    tiles = ((reach.first, sizes.first), (reach.second, sizes.second), (reach.fine, sizes.fine))
    return max(SMALLEST_BLOCK, *(smallest_tile_cells(lr, tile_reach) * cell for tile_reach, cell in tiles))


def _too_little(needed: int, limit: int, max_memory: int | None) -> UserError:
    if max_memory is None:
        what = f"this needs at least {gigabytes(needed)} of memory, and {gigabytes(limit)} may be used of what is free"
    else:
        what = f"this needs at least {gigabytes(needed)} of memory, more than the {gigabytes(limit)} that it may use"
    return UserError(what, "take a smaller picture, or smaller or fewer references")
