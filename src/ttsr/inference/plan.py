"""Before the work: how long it will take, what memory it needs, and blocks that fit the machine."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch

from ttsr.errors import UserError
from ttsr.models.config import TTSRConfig
from ttsr.models.correspondence.exact import EXACT
from ttsr.models.correspondence.types import Grid, Matcher
from ttsr.models.cost import cell_bytes, count, refinement_cost
from ttsr.models.reach import synthesis_reach
from ttsr.models.tiles import smallest_tile_cells
from ttsr.options import Precision
from ttsr.system.memory import available_bytes, gigabytes, used_bytes
from ttsr.system.precision import bytes_per_value, computing_in

# Blocks larger than this are no faster, smaller ones mostly overhead.
LARGEST_BLOCK = {"cpu": 768 * 2**20, "cuda": 1024 * 2**20, "mps": 256 * 2**20}
SMALLEST_BLOCK = 8 * 2**20
# The streamed parts use up to so many times `block_bytes` at once: on a CPU a strip's maps and the workspace of
# their convolutions; on a GPU the search's products, sums along x, patches and cosines.
BLOCKS_ALIVE = {"cpu": 2, "cuda": 4, "mps": 4}
# Everything beside the convolutions and products, and their running at less than the probe's speed.
_OVERHEAD = 1.6
# What the search does with each pair of cells beside their product (additions along x and y, the norm, the maximum)
# takes as long as so many multiply-adds, however many channels there are: with few channels it is most of the search.
_PER_PAIR = 170


@dataclass(frozen=True)
class Plan:
    """What one picture will take.

    Attributes:
        seconds: estimated time, within a factor of about two.
        memory_bytes: estimated peak of the whole process (of the GPU's memory on a GPU).
        block_bytes: what one block of the streamed parts may hold.
    """

    seconds: float
    memory_bytes: int
    block_bytes: int


def make_plan(
    config: TTSRConfig,
    lr: Grid,
    kept: Sequence[Grid],
    new: Sequence[Grid],
    *,
    device: torch.device,
    precision: Precision = "fp32",
    matcher: Matcher = EXACT,
) -> Plan:
    """Estimate time and memory of one upscale, and choose the blocks.

    `lr` is (h, w) of the LR picture; `kept` and `new` are (H/4, W/4) of the references that are encoded already, and of
    those still to be encoded.

    Raises:
        UserError: even the smallest blocks do not fit into free memory.
    """
    element, alive = bytes_per_value(precision), BLOCKS_ALIVE[device.type]
    matching = matcher.cost(lr, [*kept, *new], config.extractor_channels[2], element)
    fixed = fixed_bytes(config, lr, kept, new, element, matching.memory_bytes)
    block = _block_bytes(fixed, device)
    cost = count(config, lr, new, kept, matching.multiply_adds)
    multiply_adds = cost.total + _PER_PAIR * matching.pairs
    rate = multiply_adds_per_s(device, precision, config.channels)
    pixels = 16 * max(height * width for height, width in [lr, *kept, *new])
    # No block grows beyond the whole of what it is a block of.
    largest = max(SMALLEST_BLOCK, pixels * element * max(5 * config.channels, 3 * config.extractor_channels[0]))
    memory = used_bytes(device) + fixed + alive * min(block, largest)
    return Plan(_OVERHEAD * multiply_adds / rate, memory, block)


def encoding_block_bytes(
    config: TTSRConfig, grids: Sequence[Grid], *, device: torch.device, precision: Precision = "fp32"
) -> int:
    """The blocks to encode references of these (H/4, W/4) in.

    Raises:
        UserError: even the smallest blocks do not fit into free memory.
    """
    return _block_bytes(_encoding_bytes(config, grids, bytes_per_value(precision)), device)


def fixed_bytes(
    config: TTSRConfig, lr: Grid, kept: Sequence[Grid], new: Sequence[Grid], element: int, matching: int
) -> int:
    """Bytes that no choice of blocks can save, beside the model and the references that are encoded already.

    As in `make_plan`, with `element` bytes a number and `matching` bytes of working memory of the search.
    """
    _, middle, coarse = config.extractor_channels
    cells, num_references = lr[0] * lr[1], len(kept) + len(new)
    refinement = refinement_cost(config, num_references)
    # Refinement lays the references' luma end to end once more.
    matching = max(matching, 16 * refinement.luma_bytes * sum(height * width for height, width in [*kept, *new]))
    # Textures of the 1x and 2x grids (the latter as gathered rows too), and five maps of these grids.
    on_2x = cells * element * (coarse + 2 * 4 * middle + 5 * 5 * config.channels)
    on_2x += 4 * cells * refinement.place_bytes
    reach, sizes = synthesis_reach(config.num_blocks), cell_bytes(config, element, num_references)
    strip = smallest_tile_cells(lr, reach.fine) * sizes.fine
    on_4x = cells * element * 5 * config.channels + strip
    images = cells * 16 * 3 * 4 * 4
    return _encoding_bytes(config, new, element) + images + max(matching, on_2x, on_4x)


def _encoding_bytes(config: TTSRConfig, grids: Sequence[Grid], element: int) -> int:
    """Keys, textures of three levels, luma, and the pictures with their blurred copies in float."""
    fine, middle, coarse = config.extractor_channels
    cell = (2 * coarse + 4 * middle + 16 * fine) * element + 16 * 3 * 2 * 2 * 4
    cell += 16 * refinement_cost(config, len(grids)).luma_bytes
    return cell * sum(height * width for height, width in grids)


def _block_bytes(fixed: int, device: torch.device) -> int:
    free, alive = available_bytes(device), BLOCKS_ALIVE[device.type]
    needed = fixed + alive * SMALLEST_BLOCK
    if needed > free:
        raise UserError(
            f"this needs about {gigabytes(needed)} of memory beside what is in use and {gigabytes(free)} are free",
            "take a smaller picture, or smaller or fewer references",
        )
    # Four fifths of what is free: other programs want some, and the estimate is one.
    block = (free * 4 // 5 - fixed) // alive
    return max(SMALLEST_BLOCK, min(LARGEST_BLOCK[device.type], block))


@cache
def multiply_adds_per_s(device: torch.device, precision: Precision, channels: int) -> float:
    """How fast a 3x3 convolution of the network's width runs here and now; takes hundredths of a second."""
    side = 160
    image = torch.zeros(1, channels, side, side, device=device, dtype=torch.float32)
    image = image.contiguous(memory_format=torch.channels_last)
    weight = torch.zeros(channels, channels, 3, 3, device=device, dtype=torch.float32)
    best = float("inf")
    with torch.inference_mode(), computing_in(precision, device):
        for _ in range(4):
            start = time.perf_counter()
            torch.nn.functional.conv2d(image, weight, padding=1)[0, 0, 0, 0].item()
            best = min(best, time.perf_counter() - start)
    return side * side * 9 * channels**2 / best
