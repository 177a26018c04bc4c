"""Transfer by pixels: refined matches, let in by a learned confidence. Not in the paper.

Each pixel is the mean of nine: what its own cell and its eight neighbours, each moved along with its own match, show
there. Beyond a border of the reference its last pixels are repeated, beyond one of the LR its last matches.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ttsr.models.config import SCALE
from ttsr.models.correspondence.confidence import MatchConfidence
from ttsr.models.correspondence.gather import gather_mean
from ttsr.models.correspondence.patches import OFFSETS
from ttsr.models.correspondence.refine import coherence, refine
from ttsr.models.correspondence.types import CELLS, Box, EncodedReference, Grid, Matches, Refinement, Textures
from ttsr.progress import Progress


class PixelTransfer(nn.Module):
    """Matches refined by up to `radius` pixels each way, and their textures let in by a learned confidence."""

    needs_luma = True

    def __init__(self, radius: int) -> None:
        super().__init__()
        self.radius = radius
        self.confidence = MatchConfidence()

    def forward(
        self,
        matches: Matches,
        references: Sequence[EncodedReference],
        lr_luma: Tensor | None = None,
        progress: Progress | None = None,
    ) -> Textures:
        """See `Transfer`."""
        lumas = [reference.luma for reference in references if reference.luma is not None]
        assert lr_luma is not None
        refinement = refine(lr_luma, lumas, matches.index, self.radius, progress)
        grids = [reference.grid for reference in references]

        def gather(level: int, box: Box) -> Tensor:
            pixels = [reference.textures[level] for reference in references]
            return gather_pixels(refinement, pixels, grids, CELLS[level], box)

        attention = self.confidence(matches.relevance, refinement.zncc, coherence(refinement))
        return Textures(attention, refinement, gather)

    def storage(self, keys: Tensor, grid: Grid, cell: int, channels: int) -> Tensor:
        """The level's pixels (B, cell H cell W, C), row-major."""
        return keys.new_empty(keys.shape[0], cell * grid[0] * cell * grid[1], channels)

    def store(self, storage: Tensor, features: Tensor, cell: int, box: Box, grid: Grid) -> None:
        """See `Transfer`."""
        pixels = storage.view(storage.shape[0], cell * grid[0], cell * grid[1], -1)
        rows, columns = slice(cell * box.top, cell * box.bottom), slice(cell * box.left, cell * box.right)
        pixels[:, rows, columns] = features.permute(0, 2, 3, 1)


def gather_pixels(
    refinement: Refinement, pixels: Sequence[Tensor], grids: Sequence[Grid], cell: int, box: Box
) -> Tensor:
    """Textures of a box of LR cells at one level, with gradients to the pixels.

    Args:
        refinement: the matches.
        pixels: (B, cell H cell W, C) of the level in each reference, row-major.
        grids: (H, W) of each reference, in cells.
        cell: pixels along a cell's side at this level.
        box: the cells wanted.

    Returns:
        (B, C, cell rows, cell columns).
    """
    batch, _, height, width = refinement.shift.shape
    rows, columns = slice(max(box.top - 1, 0), box.bottom + 1), slice(max(box.left - 1, 0), box.right + 1)
    margin = (int(box.left == 0), int(box.right == width), int(box.top == 0), int(box.bottom == height))
    # In pixels of the level, rounded to the nearest.
    shift = (refinement.shift[:, :, rows, columns] * cell + SCALE // 2).div(SCALE, rounding_mode="floor")
    place = torch.cat([shift, refinement.reference[:, None, rows, columns]], 1)
    # Padding by repetition takes no integers, and these are small ones.
    place = F.pad(place.float(), margin, mode="replicate").long()
    height, width, device = box.bottom - box.top, box.right - box.left, place.device
    y = torch.arange(cell * box.top, cell * box.bottom, device=device)[:, None]
    x = torch.arange(cell * box.left, cell * box.right, device=device)
    item = torch.arange(batch, device=device)[:, None, None]
    sources = [place.new_empty(len(OFFSETS), batch, cell * height, cell * width) for _ in pixels]
    for slot, (dy, dx) in enumerate(OFFSETS):
        neighbour = place[:, :, 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        down, right, number = neighbour.repeat_interleave(cell, 2).repeat_interleave(cell, 3).unbind(1)
        for n, (source, grid) in enumerate(zip(sources, grids, strict=True)):
            there_y = (y + down).clamp(0, cell * grid[0] - 1)
            there_x = (x + right).clamp(0, cell * grid[1] - 1)
            row = (item * (cell * grid[0]) + there_y) * (cell * grid[1]) + there_x
            source[slot] = row if len(pixels) == 1 else torch.where(number == n, row, -1)
    mean = gather_mean([source.flatten(1) for source in sources], [level.flatten(0, 1) for level in pixels])
    return mean.view(batch, cell * height, cell * width, -1).permute(0, 3, 1, 2)
