"""A contrastive loss (InfoNCE) that trains the extractor for matching, where the correspondence is known.

Not in the paper, whose extractor starts from VGG19. It has the direction of the search: the positive of a query cell is
the key cell that the known warp gives, its negatives are all keys of its group of pairs but the positive's neighbours.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ttsr.models.correspondence.patches import OFFSETS, centre_rows, padded_table, patch_norm
from ttsr.system.precision import at_least_float32

NEAR = 2
"""Keys within so many cells of the positive are neither positive nor negative: their patches overlap."""


def contrastive_loss(
    queries: Tensor,
    keys: Tensor,
    to_ref: Tensor,
    known: Tensor,
    anchors: Tensor,
    *,
    group: int = 4,
    temperature: float = 0.05,
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the positive keys, and the share of anchors whose best key is the positive.

    Both are means over all B A anchors. Those without a positive (unknown, or mapped beyond the reference) add 0, so
    that the values of a batch are the means of its groups' values, on any number of processes.

    Args:
        queries: (B, C, h, w) features of the up-sampled LR, on a grid of 4-pixel cells.
        keys: (B, C, H, W) features of the blurred reference, likewise.
        to_ref: (B, 3, 3) homographies from pixels of HR to pixels of the reference.
        known: (B,) bool, whether `to_ref` holds.
        anchors: (B, A) int64, the query cells to use, as flat positions in (h, w).
        group: number of consecutive pairs that share their negatives; the last group may be smaller.
        temperature: divisor of the cosines.
    """
    loss, right = queries.new_zeros((), dtype=torch.float32), queries.new_zeros((), dtype=torch.float32)
    # In 32 bits, whatever the precision of the network: at this temperature 8 bits of a cosine are too coarse.
    with torch.autocast(queries.device.type, enabled=False):
        for first in range(0, len(queries), group):
            pairs = slice(first, first + group)
            q, k = at_least_float32(queries[pairs]), at_least_float32(keys[pairs])
            entropy, hits = _of_group(q, k, to_ref[pairs], known[pairs], anchors[pairs], temperature)
            loss, right = loss + entropy, right + hits
    return loss / anchors.numel(), right / anchors.numel()


def _of_group(
    queries: Tensor, keys: Tensor, to_ref: Tensor, known: Tensor, anchors: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """Sum of the cross-entropies, and number of correct matches, of pairs that all share their negatives."""
    (batch, _, height, width), key_grid = queries.shape, (keys.shape[2], keys.shape[3])
    x, y = _mapped(anchors, width, to_ref)
    usable = (known[:, None] & (x >= 0) & (x < key_grid[1]) & (y >= 0) & (y < key_grid[0])).flatten()
    # Anchors without a positive get weight zero: dropping them would make a GPU wait for their number.
    column = torch.where(usable, x.flatten(), 0).long()
    row = torch.where(usable, y.flatten(), 0).long()

    # Each anchor's 3x3 patch is a filter: the products with all keys are one convolution, without unfolding.
    item = torch.arange(batch, device=queries.device)[:, None].expand_as(anchors).flatten()
    table = padded_table(queries)
    centre = item * table.shape[1] + centre_rows(anchors.flatten(), (height, width))
    patch = torch.stack([table.flatten(0, 1)[centre + dy * (width + 2) + dx] for dy, dx in OFFSETS], -1)  # A, C, 9
    products = F.conv2d(keys, patch.unflatten(-1, (3, 3)), padding=1).transpose(0, 1).flatten(1)  # A, B H W
    anchor_norm = patch_norm(queries).flatten(1).gather(1, anchors).flatten()
    logits = products / (temperature * anchor_norm[:, None] * patch_norm(keys).flatten())
    target = (item * key_grid[0] + row) * key_grid[1] + column
    logits = logits.masked_fill(_near(item, row, column, target, batch, key_grid), float("-inf"))
    entropy = torch.where(usable, F.cross_entropy(logits, target, reduction="none"), 0)
    return entropy.sum(), ((logits.argmax(1) == target) & usable).sum()


def _mapped(cells: Tensor, width: int, to_ref: Tensor) -> tuple[Tensor, Tensor]:
    """Where the centres of query cells (B, A) fall in the reference, in units of cells: x, y (B, A)."""
    points = torch.stack([4.0 * (cells % width) + 2, 4.0 * (cells // width) + 2, torch.ones_like(cells).float()])
    there = torch.einsum("bij,jba->iba", to_ref, points)
    return there[0] / there[2] / 4, there[1] / there[2] / 4


def _near(item: Tensor, row: Tensor, column: Tensor, target: Tensor, batch: int, grid: tuple[int, int]) -> Tensor:
    """(A, B * H * W) bool: keys of the anchor's own reference within NEAR of the positive, except the positive."""
    references, rows, columns = (torch.arange(count, device=row.device)[None] for count in (batch, *grid))
    own = references == item[:, None]
    close_row = (rows - row[:, None]).abs() <= NEAR
    close_column = (columns - column[:, None]).abs() <= NEAR
    near = own[:, :, None, None] & close_row[:, None, :, None] & close_column[:, None, None, :]
    return near.flatten(1).scatter_(1, target[:, None], False)
