"""Match refinement of `models.correspondence.refine` as a graph, for one reference."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._higher_order_ops.while_loop import while_loop

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
    moves = torch.tensor(moves_within(radius))
    scores = _zncc(windows, _windows(ref_luma[0], top, left, HALO + radius), moves + radius)
    best = scores.amax(0, keepdim=True)
    which = (scores >= best - TIE).int().argmax(0)
    moved, zncc = moves.index_select(0, which), scores.gather(0, which[None])
    place = torch.stack([top + moved[:, 0], left + moved[:, 1]])
    return place.reshape(1, 2, height, width), zncc.reshape(1, 1, height, width)


def _windows(luma: Tensor, top: Tensor, left: Tensor, halo: int) -> Tensor:
    """(N, side, side) about cells whose first pixels are (top, left); beyond a border it is repeated."""
    height, width = luma.shape
    along, side = torch.arange(-halo, SCALE + halo), SCALE + 2 * halo
    y = (top[:, None] + along).clamp(0, height - 1)
    x = (left[:, None] + along).clamp(0, width - 1)
    places = y[:, :, None] * width + x[:, None, :]
    return luma.flatten().index_select(0, places.flatten()).reshape(-1, side, side)


def _zncc(windows: Tensor, seen: Tensor, corners: Tensor) -> Tensor:
    """Correlation of windows (N, s, s) with those of `seen` (N, S, S) at each corner (M, 2): (M, N)."""
    windows = windows - windows.mean((1, 2), keepdim=True)
    windows = windows / (windows.square().sum((1, 2), keepdim=True) + EPSILON).sqrt()
    seen = seen - seen.mean((1, 2), keepdim=True)
    # Means times their number: ONNX has no pooling by sums.
    sums = F.avg_pool2d(seen[:, None], WINDOW, 1)[:, 0] * WINDOW**2
    squares = F.avg_pool2d(seen.square()[:, None], WINDOW, 1)[:, 0] * WINDOW**2
    inverse = (squares - sums.square() / WINDOW**2 + EPSILON).rsqrt()
    # A loop of the graph, for its size; windows last, so that what is gathered lies together.
    windows, seen, inverse = (x.permute(1, 2, 0).contiguous() for x in (windows, seen, inverse))
    number_of, within = torch.arange(len(corners))[:, None], torch.arange(WINDOW)

    def unfinished(number: Tensor, _: Tensor) -> Tensor:
        return (number < len(corners)).all()

    def fill_in(number: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        y, x = corners.index_select(0, number).unbind(1)
        there = seen.index_select(0, y + within).index_select(1, x + within)
        score = (windows * there).sum((0, 1)) * inverse.index_select(0, y).index_select(1, x)[0, 0]
        return number + 1, torch.where(number_of == number, score, scores)

    none = windows.new_zeros(len(corners), windows.shape[2])
    return while_loop(unfinished, fill_in, (torch.zeros(1, dtype=torch.long), none))[1]
