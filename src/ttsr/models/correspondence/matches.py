"""From matches to textures: hard attention of whole cells as in the paper, or of pixels where matches are aligned."""

from dataclasses import dataclass

from torch import Tensor

from ttsr.models.correspondence.aligned_transfer import transfer_aligned
from ttsr.models.correspondence.patches import cells_to_pixels
from ttsr.models.correspondence.reference import CELLS, ReferenceFeatures
from ttsr.models.correspondence.refine import Alignment
from ttsr.models.correspondence.transfer import transfer


@dataclass(frozen=True)
class Matches:
    """Where each LR cell's texture comes from: cells by `index` (B, h, w), or pixels by `alignment` if there is one."""

    index: Tensor
    features: list[ReferenceFeatures]
    alignment: Alignment | None

    def texture(self, level: int, top: int, bottom: int) -> Tensor | None:
        """What is transferred to the LR rows top ... bottom - 1 of a level, (B, C, rows, columns); None for nothing."""
        if not self.features:
            return None
        grids, tables = [f.grid for f in self.features], [f.tables[level] for f in self.features]
        if self.alignment is not None:
            return transfer_aligned(self.alignment, tables, grids, CELLS[level], top, bottom)
        rows = transfer(self.index, tables, grids, top, bottom)
        return cells_to_pixels(rows, (bottom - top, self.index.shape[2]), CELLS[level])
