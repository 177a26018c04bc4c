"""Transfer by cells, as published (equations 6 to 8): each cell takes its match's texture, overlaps averaged.

The textbook form gathers whole patches and folds them back. Each output cell is the mean of nine gathered cells: the
cell at offset d beside the match of the neighbour at offset -d. Textures of the finer levels are handled on the LR grid
too, a row of the storage holding the 2x2 or 4x4 pixels of a cell.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ttsr.models.correspondence.gather import gather_mean
from ttsr.models.correspondence.patches import (
    OFFSETS,
    cells_to_pixels,
    centre_rows,
    empty_table,
    split_references,
    write_cells,
)
from ttsr.models.correspondence.types import CELLS, Box, EncodedReference, Grid, Matches, Textures
from ttsr.progress import Progress


class CellTransfer(nn.Module):
    """Hard attention by whole cells; the relevance is the soft attention of every level."""

    needs_luma = False

    def forward(
        self,
        matches: Matches,
        references: Sequence[EncodedReference],
        lr_luma: Tensor | None = None,
        progress: Progress | None = None,
    ) -> Textures:
        """See `Transfer`."""
        grids = [reference.grid for reference in references]

        def gather(level: int, box: Box) -> Tensor:
            tables = [reference.textures[level] for reference in references]
            rows = gather_cells(matches.index, tables, grids, box)
            return cells_to_pixels(rows, (box.bottom - box.top, box.right - box.left), CELLS[level])

        return Textures(matches.relevance.expand(-1, 3, -1, -1), None, gather)

    def storage(self, keys: Tensor, grid: Grid, cell: int, channels: int) -> Tensor:
        """A padded table (see `patches`), a row for each cell."""
        return empty_table(keys, grid, cell * cell * channels)

    def store(self, storage: Tensor, features: Tensor, cell: int, box: Box, grid: Grid) -> None:
        """See `Transfer`."""
        write_cells(storage, features, cell, box.top, box.left, grid)


def gather_cells(index: Tensor, tables: Sequence[Tensor], grids: Sequence[Grid], box: Box) -> Tensor:
    """Textures of a box of LR cells, with gradients to the tables.

    Args:
        index: (B, h, w), flat over the references' grids laid end to end.
        tables: the padded table (B, N, D) of each reference (see `patches`), D = cell cell C.
        grids: their sizes.
        box: the cells wanted.

    Returns:
        (B, rows columns, D).
    """
    batch, height, width = index.shape
    # The neighbours of the box take part; beyond the LR's border there is no match, which -1 stands for.
    margin = (int(box.left == 0), int(box.right == width), int(box.top == 0), int(box.bottom == height))
    rows, columns = slice(max(box.top - 1, 0), box.bottom + 1), slice(max(box.left - 1, 0), box.right + 1)
    around = F.pad(index[:, rows, columns], margin, value=-1)
    # Row 0 of a table belongs to its ring of zeros: of a single one it stands for "none" at no cost.
    none = 0 if len(tables) == 1 else -1
    sources = []
    for number, inside, local in split_references(around, grids):
        table, stride = tables[number], grids[number][1] + 2
        offset = torch.arange(batch, device=index.device)[:, None, None] * table.shape[1]
        centre = centre_rows(local, grids[number]) + offset
        rows_of_offsets = torch.stack(
            [
                torch.where(_shifted(inside, dy, dx), _shifted(centre, dy, dx) + (dy * stride + dx), none)
                for dy, dx in OFFSETS
            ]
        )
        sources.append(rows_of_offsets.view(len(OFFSETS), -1))
    mean = gather_mean(sources, [table.flatten(0, 1) for table in tables])
    return mean.view(batch, (box.bottom - box.top) * (box.right - box.left), -1)


def _shifted(around: Tensor, dy: int, dx: int) -> Tensor:
    """What the neighbour at offset -(dy, dx) of each cell holds: (B, H + 2, W + 2) to (B, H, W)."""
    height, width = around.shape[1] - 2, around.shape[2] - 2
    return around[:, 1 - dy : 1 - dy + height, 1 - dx : 1 - dx + width]
