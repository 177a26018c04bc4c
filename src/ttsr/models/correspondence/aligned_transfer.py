"""Hard attention at matches to the pixel (see `alignment`): as `transfer`, but that no cell boundary is kept to.

Each pixel is the mean of nine: what its own cell and its eight neighbours, each moved along with its own match, find
there. Beyond a border of the reference its last pixels are repeated, beyond one of the LR its last matches.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ttsr.models.config import SCALE
from ttsr.models.correspondence.patches import OFFSETS, Grid
from ttsr.models.correspondence.refine import Alignment
from ttsr.models.correspondence.transfer import gather_mean


def transfer_aligned(
    alignment: Alignment, tables: list[Tensor], grids: list[Grid], cell: int, top: int, bottom: int
) -> Tensor:
    """Textures of the LR rows top ... bottom - 1 at one level: (B, C, cell (bottom - top), cell w).

    tables: the pixels (B, cell H cell W, C) of the level in each reference, row-major; grids: (H, W) of each, in cells;
    cell: pixels of a cell's side at this level. Gradients flow to the tables.
    """
    batch, _, height, width = alignment.shift.shape
    first, last = max(top - 1, 0), min(bottom + 1, height)
    margin = (1, 1, int(top == 0), int(bottom == height))
    # In pixels of the level, rounded to the nearest.
    shift = (alignment.shift[:, :, first:last] * cell + SCALE // 2).div(SCALE, rounding_mode="floor")
    place = torch.cat([shift, alignment.reference[:, None, first:last]], 1)
    # Padding knows no integers, and these are small ones.
    place = F.pad(place.float(), margin, mode="replicate").long()
    rows, device = bottom - top, place.device
    y = torch.arange(cell * top, cell * bottom, device=device)[:, None]
    x = torch.arange(cell * width, device=device)
    item = torch.arange(batch, device=device)[:, None, None]
    sources = [place.new_empty(len(OFFSETS), batch, cell * rows, cell * width) for _ in tables]
    for slot, (dy, dx) in enumerate(OFFSETS):
        neighbour = place[:, :, 1 + dy : 1 + dy + rows, 1 + dx : 1 + dx + width]
        down, right, number = neighbour.repeat_interleave(cell, 2).repeat_interleave(cell, 3).unbind(1)
        for n, (source, grid) in enumerate(zip(sources, grids, strict=True)):
            there_y = (y + down).clamp(0, cell * grid[0] - 1)
            there_x = (x + right).clamp(0, cell * grid[1] - 1)
            row = (item * (cell * grid[0]) + there_y) * (cell * grid[1]) + there_x
            source[slot] = row if len(tables) == 1 else torch.where(number == n, row, -1)
    mean = gather_mean([source.flatten(1) for source in sources], [table.flatten(0, 1) for table in tables])
    return mean.view(batch, cell * rows, cell * width, -1).permute(0, 3, 1, 2)
