"""Match refinement of `models.correspondence.refine` as a graph, for one reference."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ttsr.models.config import SCALE
from ttsr.models.correspondence.refine import EPSILON, HALO, TIE, WINDOW, moves_within


def refined_matches(
    lr_luma: Tensor, ref_luma: Tensor, row: Tensor, column: Tensor, radius: int
) -> tuple[Tensor, Tensor]:
    """Move each match by up to `radius` pixels each way to where it correlates best; of equals the nearest wins.

    Args:
        lr_luma: (1, 4h, 4w), of the up-sampled LR.
        ref_luma: (1, 4H, 4W), of the blurred reference.
        row: (h, w), the cells that match.
        column: likewise.
        radius: in pixels.

    Returns:
        The match's first pixel, down and right (1, 2, h, w), and the ZNCC (1, 1, h, w).
    """
    height, width = row.shape
    padded = F.pad(lr_luma[:, None], (HALO,) * 4, mode="replicate")[0, 0]
    along = torch.arange(WINDOW)
    rows = (SCALE * torch.arange(height)[:, None] + along).flatten()
    columns = (SCALE * torch.arange(width)[:, None] + along).flatten()
    windows = padded.index_select(0, rows).index_select(1, columns)
    windows = windows.reshape(height, WINDOW, width, WINDOW).permute(0, 2, 1, 3).reshape(-1, WINDOW, WINDOW)
    top, left = SCALE * row.flatten(), SCALE * column.flatten()
    moves = moves_within(radius)
    scores = _zncc(windows, _windows(ref_luma[0], top, left, HALO + radius), moves, radius)
    best = scores.amax(1, keepdim=True)
    which = (scores >= best - TIE).int().argmax(1)
    moved = torch.tensor(moves).index_select(0, which)
    place = torch.stack([top + moved[:, 0], left + moved[:, 1]])
    zncc = scores.gather(1, which[:, None])
    return place.reshape(1, 2, height, width), zncc.reshape(1, 1, height, width)


def _windows(luma: Tensor, top: Tensor, left: Tensor, halo: int) -> Tensor:
    """(N, side, side) about cells whose first pixels are (top, left); beyond a border it is repeated."""
    height, width = luma.shape
    along, side = torch.arange(-halo, SCALE + halo), SCALE + 2 * halo
    y = (top[:, None] + along).clamp(0, height - 1)
    x = (left[:, None] + along).clamp(0, width - 1)
    places = y[:, :, None] * width + x[:, None, :]
    return luma.flatten().index_select(0, places.flatten()).reshape(-1, side, side)


def _zncc(windows: Tensor, seen: Tensor, moves: list[tuple[int, int]], radius: int) -> Tensor:
    """Correlation of windows (N, s, s) with those of `seen` (N, s + 2 radius, ...) at each move: (N, moves)."""
    windows = windows - windows.mean((1, 2), keepdim=True)
    windows = windows / (windows.square().sum((1, 2), keepdim=True) + EPSILON).sqrt()
    seen = seen - seen.mean((1, 2), keepdim=True)
    # Means times their number: ONNX has no pooling by sums.
    sums = F.avg_pool2d(seen[:, None], WINDOW, 1)[:, 0] * WINDOW**2
    squares = F.avg_pool2d(seen.square()[:, None], WINDOW, 1)[:, 0] * WINDOW**2
    lengths = (squares - sums.square() / WINDOW**2 + EPSILON).sqrt()
    scores = []
    for down, right in moves:
        y, x = down + radius, right + radius
        product = (windows * seen[:, y : y + WINDOW, x : x + WINDOW]).sum((1, 2))
        scores.append(product / lengths[:, y, x])
    return torch.stack(scores, 1)
