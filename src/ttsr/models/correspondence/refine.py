"""Matches to the pixel: where beside its best cell a reference fits an LR cell best.

Not in the paper. The search compares cells of 4x4 pixels, so that a match misses its place by up to half a cell each
way, and what is transferred is that far off: fine texture then averages out. The up-sampled LR and the blurred
reference hold the same frequencies, smooth ones, which place a match much more closely than a cell: around each match
the window of largest zero-mean normalised cross-correlation of luma wins.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ttsr.models.config import SCALE
from ttsr.models.correspondence.patches import places_of
from ttsr.models.correspondence.types import Grid, Refinement
from ttsr.progress import Progress
from ttsr.system.threads import in_threads

# A cell's window: its own 4x4 pixels and so many about them, as far as a 3x3 patch of cells goes.
HALO = 4
WINDOW = SCALE + 2 * HALO
# Added to the sum of squares about the mean, of luma in [0, 1]: windows flatter than 8-bit rounding do not correlate.
EPSILON = 1e-3
# Correlations that differ by less are equal: what is left of a flat window is rounding.
TIE = 1e-5
# Cells at a time, whose windows of the reference stay small beside the network's features.
_CELLS = 2**11
# Neighbours whose displacements differ by no more than this, in pixels, show one surface.
_COHERENT = 3


def luma(image: Tensor) -> Tensor:
    """(B, 3, H, W) RGB to (B, H, W) float32, ITU-R BT.601."""
    red, green, blue = image.float().unbind(1)
    return 0.299 * red + 0.587 * green + 0.114 * blue


@torch.no_grad()
def refine(
    lr_up: Tensor, references: Sequence[Tensor], index: Tensor, radius: int, progress: Progress | None = None
) -> Refinement:
    """Move each match by up to `radius` pixels each way to where it correlates best; of equals the nearest wins.

    lr_up: (B, 4h, 4w) luma of the up-sampled LR; references: (B, H, W) luma of each blurred reference, in whole cells.
    index: (B, h, w) cells, flat over the references' grids laid end to end.
    """
    batch, height, width = index.shape
    number, row, column = places_of(index, [(r.shape[1] // SCALE, r.shape[2] // SCALE) for r in references])
    top, left = SCALE * row, SCALE * column
    around = F.pad(lr_up[:, None], (HALO,) * 4, mode="replicate")
    flat = torch.cat([r.flatten() for r in references])
    sizes = [(r.shape[1], r.shape[2]) for r in references]
    moves = torch.tensor(moves_within(radius), device=index.device)
    moved, zncc = torch.empty_like(index), lr_up.new_empty(batch, height, width)
    rows = max(1, _CELLS // (batch * width))

    def search(part: slice, _: Progress) -> None:
        strip = around[:, :, SCALE * part.start : SCALE * part.stop + 2 * HALO]
        windows = F.unfold(strip, WINDOW, stride=SCALE).transpose(1, 2).reshape(-1, WINDOW, WINDOW)
        candidates = _windows(flat, sizes, number[:, part], top[:, part], left[:, part], HALO + radius)
        scores = _zncc(windows, candidates, moves + radius)
        # The first, and so the nearest, of all that are as good as the best.
        which = (scores >= scores.amax(1, keepdim=True) - TIE).byte().argmax(1)
        zncc[:, part] = scores.gather(1, which[:, None]).view(batch, -1, width)
        moved[:, part] = which.view(batch, -1, width)

    parts = [slice(first, min(first + rows, height)) for first in range(0, height, rows)]
    in_threads(search, parts, index.device, progress)
    down, right = moves[moved].unbind(-1)
    top_here = SCALE * torch.arange(height, device=index.device)[:, None]
    left_here = SCALE * torch.arange(width, device=index.device)
    shift = torch.stack([top + down - top_here, left + right - left_here], 1)
    return Refinement(number, shift, zncc[:, None])


def coherence(matches: Refinement) -> Tensor:
    """Share of a cell's eight neighbours that match beside it in the same reference: (B, 1, h, w) in [0, 1].

    Neighbours of a right match are matched rightly beside it; wrong matches lie anywhere.
    """
    place = torch.cat([matches.shift, matches.reference[:, None]], 1).float()
    height, width = place.shape[2:]
    padded = F.pad(place, (1, 1, 1, 1), mode="replicate")
    agreeing = place.new_zeros(place.shape[0], 1, height, width)
    for dy in range(3):
        for dx in range(3):
            apart = (padded[:, :, dy : dy + height, dx : dx + width] - place).abs()
            agreeing += (apart[:, :2].amax(1, keepdim=True) <= _COHERENT) & (apart[:, 2:] == 0)
    return (agreeing - 1) / 8


def moves_within(radius: int) -> list[tuple[int, int]]:
    """All moves down and right by up to so many pixels each way, the nearest first."""
    steps = range(-radius, radius + 1)
    moves = [(down, right) for down in steps for right in steps]
    return sorted(moves, key=lambda move: move[0] ** 2 + move[1] ** 2)


def _windows(flat: Tensor, grids: list[Grid], number: Tensor, top: Tensor, left: Tensor, halo: int) -> Tensor:
    """(N, side, side) windows about cells whose first pixels are (top, left); beyond a border it is repeated."""
    batch = number.shape[0]
    along = torch.arange(-halo, SCALE + halo, device=number.device)
    heights, widths = torch.tensor(grids, device=number.device).unbind(1)
    sizes = heights * widths
    item = torch.arange(batch, device=number.device)[:, None, None]
    start = (batch * (sizes.cumsum(0) - sizes))[number] + item * sizes[number]
    width = widths[number][..., None]
    y = (top[..., None] + along).clamp_min(0).minimum(heights[number][..., None] - 1) * width + start[..., None]
    x = (left[..., None] + along).clamp_min(0).minimum(width - 1)
    return flat[(y[..., :, None] + x[..., None, :]).flatten(0, 2)]


def _zncc(windows: Tensor, seen: Tensor, corners: Tensor) -> Tensor:
    """Correlation of windows (N, s, s) with those of `seen` (N, S, S) at each corner (M, 2): (N, M)."""
    windows = windows - windows.mean((1, 2), keepdim=True)
    windows = windows / (windows.square().sum((1, 2), keepdim=True) + EPSILON).sqrt()
    side = windows.shape[1]
    # About their own mean, so that the sums of squares do not cancel.
    seen = seen - seen.mean((1, 2), keepdim=True)
    sums = F.avg_pool2d(seen[:, None], side, 1, divisor_override=1)[:, 0]
    squares = F.avg_pool2d(seen.square()[:, None], side, 1, divisor_override=1)[:, 0]
    inverse = (squares - sums.square() / side**2 + EPSILON).rsqrt()
    products = [
        (windows * seen[:, y : y + side, x : x + side]).sum((1, 2)) * inverse[:, y, x] for y, x in corners.tolist()
    ]
    return torch.stack(products, 1)
