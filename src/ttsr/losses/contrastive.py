"""A contrastive term that teaches the extractor to tell places apart, where the true correspondence is known.

Not in the paper, which starts from a VGG19 that can already. InfoNCE in the direction of the search: for a query cell,
the key cell that the known warp gives is the positive, and every key of the batch not next to it a negative.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ttsr.models.patches import OFFSETS, centre_rows, padded_table, patch_norm

# Keys nearer to the positive than this, in cells, are neither positive nor negative: their patches overlap.
NEAR = 2


def contrastive_loss(
    queries: Tensor,
    keys: Tensor,
    to_ref: Tensor,
    known: Tensor,
    generator: torch.Generator,
    *,
    num_anchors: int = 32,
    temperature: float = 0.05,
) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy of the right key, and the share of anchors whose best key is the right one.

    queries: (B, C, h, w) features of the up-sampled LR; keys: (B, C, H, W) of the blurred reference, both on grids of
    4-pixel cells. to_ref: (B, 3, 3), pixels of hr to pixels of ref; known: (B,) bool, whether to_ref is to be used.
    num_anchors: query cells drawn from each item. Zero, with no gradient, where nothing is known.
    """
    batch, _, height, width = queries.shape
    key_grid = (keys.shape[2], keys.shape[3])
    device = queries.device
    cells = torch.randint(height * width, (batch, num_anchors), generator=generator).to(device)
    x, y = _mapped(cells, width, to_ref)
    usable = known[:, None] & (x >= 0) & (x < key_grid[1]) & (y >= 0) & (y < key_grid[0])
    if not usable.any():
        zero = queries.new_zeros(())
        return zero, zero
    column, row = x.floor().long(), y.floor().long()

    # Each anchor's 3x3 patch serves as a filter: the products with all keys are one convolution, nothing is unfolded.
    item = torch.arange(batch, device=device)[:, None].expand_as(cells)[usable]
    table = padded_table(queries)
    centre = item * table.shape[1] + centre_rows(cells[usable], (height, width))
    patch = torch.stack([table.flatten(0, 1)[centre + dy * (width + 2) + dx] for dy, dx in OFFSETS], -1)  # A, C, 9
    products = F.conv2d(keys, patch.unflatten(-1, (3, 3)), padding=1).transpose(0, 1).flatten(1)  # A, B H W
    anchor_norm = patch_norm(queries).flatten(1).gather(1, cells)[usable]
    logits = products / (temperature * anchor_norm[:, None] * patch_norm(keys).flatten())
    column, row = column[usable], row[usable]
    target = (item * key_grid[0] + row) * key_grid[1] + column
    logits = logits.masked_fill(_near(item, row, column, target, batch, key_grid), float("-inf"))
    return F.cross_entropy(logits, target), (logits.argmax(1) == target).float().mean()


def _mapped(cells: Tensor, width: int, to_ref: Tensor) -> tuple[Tensor, Tensor]:
    """Where the centres of query cells (B, A) fall in the reference, in units of cells: x, y (B, A)."""
    points = torch.stack([4.0 * (cells % width) + 2, 4.0 * (cells // width) + 2, torch.ones_like(cells).float()])
    there = torch.einsum("bij,jba->iba", to_ref, points)
    return there[0] / there[2] / 4, there[1] / there[2] / 4


def _near(item: Tensor, row: Tensor, column: Tensor, target: Tensor, batch: int, grid: tuple[int, int]) -> Tensor:
    """(A, B * H * W) bool: keys of the anchor's own reference within NEAR of the positive, itself excepted."""
    rows = torch.arange(grid[0], device=row.device)
    columns = torch.arange(grid[1], device=row.device)
    own = torch.arange(batch, device=row.device)[None] == item[:, None]
    close_row = (rows[None] - row[:, None]).abs() <= NEAR
    close_column = (columns[None] - column[:, None]).abs() <= NEAR
    near = own[:, :, None, None] & close_row[:, None, :, None] & close_column[:, None, None, :]
    near = near.flatten(1)
    return near.scatter_(1, target[:, None], False)
