"""The exact search of `models.correspondence.exact` as a graph: a loop over rows of keys, of any number.

A row of keys is multiplied with all queries, and the products of a 3x3 patch are three sums along x and three along y.
The loop carries the sums along x of two rows, and the best key so far: nothing grows with the number of rows.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._higher_order_ops.while_loop import while_loop

from ttsr.models.correspondence.patches import PATCH_EPSILON


def best_matches(queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The best key of every query (equations 3 to 5); of equal keys the first wins.

    Args:
        queries: (1, C, h, w).
        keys: (1, C, H, W).

    Returns:
        The relevance (1, 1, h, w), and row and column (h, w) int64 of the match.
    """
    channels, height, width = queries.shape[1:]
    key_height, key_width = keys.shape[2:]
    table = F.pad(queries, (1, 1, 1, 1))[0].permute(1, 2, 0).reshape(-1, channels)
    lines = F.pad(keys, (1, 1, 1, 1))[0].permute(1, 0, 2).contiguous()  # H + 2, C, W + 2
    inverse = 1 / _patch_norm(keys)[0]

    def summed_along_x(line: Tensor) -> Tensor:
        """(1, C, W + 2) to (h + 2, w, W)."""
        products = (table @ line[0]).reshape(height + 2, width + 2, key_width + 2)
        return products[:, :-2, :-2] + products[:, 1:-1, 1:-1] + products[:, 2:, 2:]

    def unfinished(row: Tensor, *_: Tensor) -> Tensor:
        return (row < key_height).all()

    def fold_in(
        row: Tensor, above: Tensor, here: Tensor, best: Tensor, best_row: Tensor, best_column: Tensor
    ) -> tuple[Tensor, ...]:
        below = summed_along_x(lines.index_select(0, row + 2))
        patches = above[:-2] + here[1:-1] + below[2:]  # h, w, W
        cosines = patches * inverse.index_select(0, row)
        found, column = cosines.amax(2), cosines.argmax(2)
        better = found > best
        rows, columns = torch.where(better, row, best_row), torch.where(better, column, best_column)
        # A copy: what the loop carries must not be what it was given.
        return row + 1, here.clone(), below, torch.where(better, found, best), rows, columns

    none = torch.zeros(height, width, dtype=torch.long)
    start = torch.zeros(1, dtype=torch.long)
    above, here = summed_along_x(lines.index_select(0, start)), summed_along_x(lines.index_select(0, start + 1))
    best = torch.full((height, width), float("-inf"))
    *_, best, row, column = while_loop(unfinished, fold_in, (start, above, here, best, none, none.clone()))
    return (best / _patch_norm(queries)[0])[None, None], row, column


def _patch_norm(features: Tensor) -> Tensor:
    """As `patches.patch_norm`, of means: the exporter to ONNX takes no notice of another divisor."""
    means = F.avg_pool2d(features.square().sum(1, keepdim=True), 3, 1, 1)[:, 0]
    return (9 * means).clamp_min(PATCH_EPSILON**2).sqrt()
