"""Before the work: how long it will take, what memory it needs, and blocks that fit the machine."""

import time
from dataclasses import dataclass
from functools import cache

import torch

from ttsr.errors import UserError
from ttsr.models.config import TTSRConfig
from ttsr.models.cost import count
from ttsr.options import Precision
from ttsr.system.device import computing_in
from ttsr.system.gigabytes import gigabytes
from ttsr.system.memory import available_bytes, used_bytes

Grid = tuple[int, int]

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
    kept: list[Grid],
    new: list[Grid],
    *,
    device: torch.device,
    precision: Precision = "fp32",
) -> Plan:
    """Estimate time and memory of one upscale, and choose the blocks.

    Args:
        config: the model's sizes.
        lr: (h, w) of the LR picture.
        kept: (H / 4, W / 4) of the references whose features are held already.
        new: the same of the references that are still to be encoded.
        device, precision: where and how it will be computed.

    Raises:
        UserError: even the smallest blocks do not fit what is free.
    """
    element = 4 if precision == "fp32" else 2
    fixed = fixed_bytes(config, lr, kept, new, element)
    free = available_bytes(device)
    alive = BLOCKS_ALIVE[device.type]
    needed = fixed + alive * SMALLEST_BLOCK
    if needed > free:
        raise UserError(
            f"this needs about {gigabytes(needed)} of memory beside what is in use and {gigabytes(free)} are "
            "free: take a smaller picture, or smaller or fewer references"
        )
    # Four fifths of what is free: other programs want some, and the estimate is one.
    block = (free * 4 // 5 - fixed) // alive
    block = max(SMALLEST_BLOCK, min(LARGEST_BLOCK[device.type], block))
    cost = count(config, lr, [*kept, *new])
    madds = cost.total - (count(config, lr, kept).references if kept else 0)
    madds += _PER_PAIR * lr[0] * lr[1] * sum(height * width for height, width in [*kept, *new])
    rate = multiply_adds_per_s(device, precision, config.channels)
    memory = used_bytes(device) + fixed + alive * min(block, _useful_block(config, lr, [*kept, *new], element))
    return Plan(_OVERHEAD * madds / rate, memory, block)


def fixed_bytes(config: TTSRConfig, lr: Grid, kept: list[Grid], new: list[Grid], element: int) -> int:
    """Bytes that no choice of blocks can save, beside the model and the features that are kept already."""
    fine, middle, coarse = config.extractor_channels
    cells = lr[0] * lr[1]
    encoding = 0
    for height, width in new:
        # Keys, tables of three levels, and the picture with its blurred copy in float.
        encoding += height * width * ((2 * coarse + 4 * middle + 16 * fine) * element + 16 * 3 * 2 * 2 * 4)
        encoding += height * width * 16 * 4 * (config.alignment > 0)  # luma of the blurred copy
    num_references = len(kept) + len(new)
    largest = max((height * width for height, width in [*kept, *new]), default=0)
    # With alignment the references' luma is laid end to end once more.
    lumas = 16 * 4 * sum(height * width for height, width in [*kept, *new]) * (config.alignment > 0)
    searching = max(coarse * element * (2 * cells + largest), lumas)
    # Textures of the 1x and 2x grids (the latter as gathered rows too), and five maps of these grids.
    on_2x = cells * element * (coarse + 2 * 4 * middle + 5 * 5 * config.channels)
    on_2x += 4 * cells * config.place_bytes(num_references)
    # A strip of the 4x stage is never lower than its reach, with the same again above and below.
    strip = config.fine_row_bytes(lr[1], element, num_references) * min(lr[0], 3 * (2 * config.num_blocks[3] + 10))
    on_4x = cells * element * 5 * config.channels + strip
    images = cells * 16 * 3 * 4 * 4
    return encoding + images + max(searching, on_2x, on_4x)


def _useful_block(config: TTSRConfig, lr: Grid, references: list[Grid], element: int) -> int:
    """No block grows beyond the whole of what it is a block of."""
    pixels = 16 * max(height * width for height, width in [lr, *references])
    return max(SMALLEST_BLOCK, pixels * element * max(5 * config.channels, 3 * config.extractor_channels[0]))


@cache
def multiply_adds_per_s(device: torch.device, precision: Precision, channels: int) -> float:
    """How fast a 3x3 convolution of the network's width runs here and now; takes hundredths of a second."""
    side = 160
    image = torch.zeros(1, channels, side, side, device=device).contiguous(memory_format=torch.channels_last)
    weight = torch.zeros(channels, channels, 3, 3, device=device)
    best = float("inf")
    with torch.inference_mode(), computing_in(precision, device):
        for _ in range(4):
            start = time.perf_counter()
            torch.nn.functional.conv2d(image, weight, padding=1)[0, 0, 0, 0].item()
            best = min(best, time.perf_counter() - start)
    return side * side * 9 * channels**2 / best
