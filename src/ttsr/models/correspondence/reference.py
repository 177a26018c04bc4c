"""What a reference gives: keys to be matched, and textures to be transferred (section 3.1)."""

from dataclasses import dataclass

from torch import Tensor

from ttsr.models.correspondence.patches import Grid

# Pixels of a cell's side at each level, coarse to fine.
CELLS = (1, 2, 4)


@dataclass(frozen=True)
class ReferenceFeatures:
    """What is kept of a reference image: compute it once, use it for many LR images.

    keys: (B, C3, H/4, W/4), the coarse features of the blurred reference.
    tables: textures of the reference itself, coarse to fine, as padded tables (see `patches`); with `alignment` as the
        levels' pixels, (B, H/4 W/4, C3), (B, H/2 W/2, C2) and (B, H W, C1).
    mask: (B, H/4, W/4) bool, the cells that may be matched; None for all.
    luma: (B, H, W) of the blurred reference, for `alignment` alone.
    """

    keys: Tensor
    tables: tuple[Tensor, Tensor, Tensor]
    mask: Tensor | None = None
    luma: Tensor | None = None

    @property
    def grid(self) -> Grid:
        """(H/4, W/4)."""
        return self.keys.shape[2], self.keys.shape[3]
