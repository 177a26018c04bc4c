"""One level of the coarse-to-fine search: windows about the parents' matches, and propagation between neighbours.

A score is a sum of nine products of single cells (see `exact.py`). Both steps multiply each pair of cells once: the
four cells of a parent share one window, and a cell that tries its neighbour's match moved along with it takes six of
the nine products over from that neighbour.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ttsr.models.correspondence.patches import OFFSETS, patch_norm_of_squares
from ttsr.models.correspondence.types import Grid
from ttsr.progress import Progress
from ttsr.system.threads import in_threads

# Candidates about a parent's match, each way. With 2 they include all children of the matched parent.
_RADIUS = 2
_SIDE = 2 * _RADIUS + 1
# Sides of what the four cells of a parent look at together: keys, and queries with the cells about them.
_KEYS, _QUERIES = _SIDE + 3, 4
_CHILDREN = 2
# Rings of zeros about each reference: one for patches, and one for windows that begin or end beyond it.
_RING = 2
_ROUNDS = 2  # of propagation, each from four neighbours
_NEIGHBOURS = ((0, 1), (1, 0), (0, -1), (-1, 0))
# Products of a cell, by work: in windows, and in propagation while most of the neighbours agree.
PRODUCTS_PER_CELL = (_QUERIES * _KEYS // _CHILDREN) ** 2 + 3 * len(_NEIGHBOURS) * _ROUNDS
# Numbers of gathered features that stay in a CPU's cache, and of which a GPU has enough to do.
_BLOCK_ELEMENTS, _GPU_BLOCK_ELEMENTS = 2**19, 2**26


class KeyTable:
    """The cells of all references one below the other, in rows of one length, with two rings of zeros about each.

    A row of the table is a cell, so that its neighbours are a fixed number of rows away, whatever the reference.

    Attributes:
        features: (N, C).
        factors: (N,) what a product with the 3x3 patch about each cell is multiplied by; NaN if it may not win.
        stride: from a cell to the one below.
    """

    def __init__(self, keys: Sequence[Tensor], masks: Sequence[Tensor | None]) -> None:
        self.stride = max(key.shape[2] for key in keys) + 2 * _RING
        height = sum(key.shape[1] + 2 * _RING for key in keys)
        features = keys[0].new_empty(height, self.stride, len(keys[0]))
        allowed = torch.zeros(height, self.stride, dtype=torch.bool, device=features.device)
        tops, top = [], _RING
        for key, mask in zip(keys, masks, strict=True):
            bottom, right = top + key.shape[1], _RING + key.shape[2]
            features[top - _RING : top] = features[bottom : bottom + _RING] = 0
            features[top:bottom, :_RING] = features[top:bottom, right:] = 0
            features[top:bottom, _RING:right] = key.permute(1, 2, 0)
            allowed[top:bottom, _RING:right] = True if mask is None else mask
            tops.append(top)
            top = bottom + 2 * _RING
        squares = features.new_empty(height, self.stride, dtype=torch.float32)

        def square(part: slice, _: Progress) -> None:
            squares[part] = features[part].float().square().sum(2)

        rows = max(1, _BLOCK_ELEMENTS // features[0].numel())
        in_threads(square, [slice(i, i + rows) for i in range(0, height, rows)], features.device)
        factors = (1 / patch_norm_of_squares(squares[None])[0]).where(allowed, torch.nan)
        self.features, self.factors = features.flatten(0, 1), factors.flatten()
        self.tops = torch.tensor(tops, device=features.device)
        self.heights = torch.tensor([key.shape[1] for key in keys], device=features.device)
        self.widths = torch.tensor([key.shape[2] for key in keys], device=features.device)

    def rows(self, places: Tensor) -> Tensor:
        """Reference, row and column (3, ...) to rows of the table."""
        reference, row, column = places
        return (self.tops[reference] + row) * self.stride + column + _RING

    def places(self, rows: Tensor) -> Tensor:
        """The reverse of `rows`."""
        y = rows // self.stride
        reference = torch.bucketize(y, self.tops, right=True) - 1
        return torch.stack([reference, y - self.tops[reference], rows % self.stride - _RING])


class LevelSearch:
    """One item's queries and keys at one pooling, and the best match of each query so far.

    Attributes:
        grid: (h, w) of the queries.
        row: (h w,) int64, the best key, as a row of the table.
        score: (h w,) its R / |k|, where R is the product of the 3x3 patches.
        products: (h w, 9) the products of single cells that R is the sum of.
    """

    def __init__(self, queries: Tensor, keys: KeyTable) -> None:
        self.grid: Grid = (queries.shape[1], queries.shape[2])
        height, width = self.grid
        # A ring of one cell, and one more where a parent has less than four cells.
        self.queries = F.pad(queries.permute(1, 2, 0), (0, 0, 1, 1 + width % 2, 1, 1 + height % 2))
        self.query_stride = self.queries.shape[1]
        self.queries = self.queries.flatten(0, 1)
        self.keys = keys
        device = queries.device
        self.row = torch.zeros(height * width, dtype=torch.long, device=device)
        self.score = torch.full((height * width,), -torch.inf, device=device)
        self.products = torch.zeros(height * width, len(OFFSETS), device=device)

    def try_windows(self, parents: Tensor, progress: Progress) -> None:
        """Try the window about each cell's parent's match; `parents` (3, h', w') are places at twice the pooling."""
        grid, device = (parents.shape[1], parents.shape[2]), parents.device
        reference, row, column = parents.flatten(1)
        # Where the first child's window is centred: both children's reach one cell into the ring at most.
        row = (2 * row).clamp_min(_RADIUS - 1).minimum(self.keys.heights[reference] - 1 - _RADIUS)
        column = (2 * column).clamp_min(_RADIUS - 1).minimum(self.keys.widths[reference] - 1 - _RADIUS)
        # The first of the keys that are looked at.
        corners = self.keys.rows(torch.stack([reference, row, column])) - (_RADIUS + 1) * (self.keys.stride + 1)
        y, x = torch.arange(grid[0], device=device), torch.arange(grid[1], device=device)
        query_corners = (2 * y[:, None] * self.query_stride + 2 * x).flatten()
        key_offsets = _square(_KEYS, self.keys.stride, device)
        query_offsets = _square(_QUERIES, self.query_stride, device)
        cells = len(corners)
        best = torch.empty(cells, 4, dtype=torch.long, device=device)
        score, products = self.score.new_empty(cells, 4), self.products.new_empty(cells, 4, len(OFFSETS))

        def search(part: slice, progress: Progress) -> None:
            key_rows = corners[part, None] + key_offsets
            q = self.queries.index_select(0, (query_corners[part, None] + query_offsets).flatten())
            k = self.keys.features.index_select(0, key_rows.flatten())
            q, k = q.float().unflatten(0, (-1, _QUERIES**2)), k.float().unflatten(0, (-1, _KEYS**2))
            with torch.autocast(q.device.type, enabled=False):  # rounded to 16 bits, most matches would tie
                pairs = torch.bmm(q, k.transpose(1, 2))  # n, 16, 64
            # Query cell (y, x) with key cell (y + u, x + v), of which a candidate (u, v) adds up 3x3.
            size = (len(pairs), _QUERIES, _QUERIES, _SIDE, _SIDE)
            pairs = pairs.as_strided(
                size, (_QUERIES**2 * _KEYS**2, _QUERIES * _KEYS**2 + _KEYS, _KEYS**2 + 1, _KEYS, 1)
            ).flatten(3)  # n, 4, 4, 25
            along_x = pairs[:, :, :-2] + pairs[:, :, 1:-1]
            along_x += pairs[:, :, 2:]
            total = along_x[:, :-2] + along_x[:, 1:-1]
            total += along_x[:, 2:]  # n, 2, 2, 25
            # The children's candidates: key rows 1 + child + (0 ... 4) of the window.
            factors = self.keys.factors[key_rows].view(-1, _KEYS, _KEYS)
            windows = factors[:, 1:-1, 1:-1].unfold(1, _SIDE, 1).unfold(2, _SIDE, 1)  # n, 2, 2, 5, 5
            total *= windows.flatten(3)
            score[part], which = total.nan_to_num_(-torch.inf).flatten(1, 2).max(2)
            best[part] = which
            around = pairs.unfold(1, 3, 1).unfold(2, 3, 1)  # n, 2, 2, 25, 3, 3
            chosen = which.view(-1, 2, 2, 1, 1, 1).expand(-1, -1, -1, 1, 3, 3)
            products[part] = around.gather(3, chosen).view(-1, 4, len(OFFSETS))

        self._in_blocks(search, cells, _KEYS**2 + _QUERIES**2, progress)
        child = torch.arange(4, device=device)
        down, right = child // 2 + best // _SIDE, child % 2 + best % _SIDE
        rows = corners[:, None] + (down + 1) * self.keys.stride + right + 1
        self.row = self._children(rows, grid)
        self.score = self._children(score, grid)
        self.products = self._children(products, grid)

    def propagate(self) -> None:
        """Try the matches of the four neighbours, moved along with the cell."""
        tried: dict[tuple[int, int], Tensor] = {}
        for offset in _ROUNDS * _NEIGHBOURS:
            tried[offset] = self._try_neighbours(offset, tried.get(offset))

    def _try_neighbours(self, offset: tuple[int, int], tried: Tensor | None) -> Tensor:
        """Try the match of the neighbour at an offset, except what was tried before; returns what has been tried."""
        (dy, dx), (height, width) = offset, self.grid
        inside = slice(max(0, -dy), height - max(0, dy)), slice(max(0, -dx), width - max(0, dx))
        there = slice(max(0, dy), height + min(0, dy)), slice(max(0, dx), width + min(0, dx))
        rows = torch.zeros_like(self.row)  # a ring cell: not a match
        rows.view(self.grid)[inside] = self.row.view(self.grid)[there] - (dy * self.keys.stride + dx)
        known = [(oy - dy, ox - dx) for oy, ox in OFFSETS]
        self.attempt(rows, tried, [(OFFSETS.index(o) if o in OFFSETS else None) for o in known], dy * width + dx)
        return rows

    def attempt(
        self,
        rows: Tensor,
        tried: Tensor | None = None,
        known: Sequence[int | None] = (None,) * len(OFFSETS),
        neighbour: int = 0,
    ) -> None:
        """Take these keys (h w,) where they may be matched and are better.

        Args:
            rows: of the table.
            tried: keys (h w,) that need not be tried once more.
            known: for each of the nine products, which one of the neighbour's it equals.
            neighbour: how many cells further that is.
        """
        before, device = self.products.clone(), rows.device
        width = self.grid[1]

        def search(part: slice, progress: Progress) -> None:
            factors = self.keys.factors[rows[part]]
            new = (rows[part] != self.row[part]) & ~factors.isnan()
            if tried is not None:
                new &= rows[part] != tried[part]
            if device.type == "cpu":
                local = new.nonzero()[:, 0]
                cells, factors = local + part.start, factors[local]
            else:  # all of them, rather than to wait for their number
                cells = torch.arange(part.start, part.start + len(new), device=device)
                factors = factors.where(new, torch.nan)
            key_rows = rows[cells].where(~factors.isnan(), _RING * (self.keys.stride + 1))
            query_rows = (cells // width + 1) * self.query_stride + cells % width + 1
            products = before[(cells + neighbour).clamp(0, len(before) - 1)]
            if any(number is not None for number in known):
                products = products[:, [number or 0 for number in known]]
            for number, (dy, dx) in enumerate(OFFSETS):
                if known[number] is None:
                    q = self.queries.index_select(0, query_rows + (dy * self.query_stride + dx)).float()
                    k = self.keys.features.index_select(0, key_rows + (dy * self.keys.stride + dx)).float()
                    products[:, number] = q.mul_(k).sum(1)
            total = products.sum(1).mul_(factors)
            better = total > self.score[cells]
            self.score[cells] = total.where(better, self.score[cells])
            self.row[cells] = key_rows.where(better, self.row[cells])
            self.products[cells] = products.where(better[:, None], self.products[cells])

        self._in_blocks(search, len(rows), 2)

    def places(self) -> Tensor:
        """Reference, row and column of the best keys: (3, h, w)."""
        return self.keys.places(self.row).unflatten(1, self.grid)

    def _in_blocks(
        self,
        search: Callable[[slice, Progress], None],
        count: int,
        rows_each: int,
        progress: Progress | None = None,
    ) -> None:
        """Search `count` items in blocks, of which each gathers so many rows of a table."""
        device = self.row.device
        elements = _BLOCK_ELEMENTS if device.type == "cpu" else _GPU_BLOCK_ELEMENTS
        step = max(1, elements // (rows_each * self.queries.shape[1]))
        in_threads(search, [slice(i, min(i + step, count)) for i in range(0, count, step)], device, progress)

    def _children(self, values: Tensor, grid: Grid) -> Tensor:
        """(h' w', 4, ...) of the four children of each parent to (h w, ...)."""
        values = values.unflatten(0, grid).unflatten(2, (_CHILDREN, _CHILDREN)).transpose(1, 2)
        return values.flatten(0, 1).flatten(1, 2)[: self.grid[0], : self.grid[1]].flatten(0, 1).contiguous()


def _square(side: int, stride: int, device: torch.device) -> Tensor:
    """Rows of a table that a square of cells takes, from its first one on: (side side,)."""
    along = torch.arange(side, device=device)
    return (along[:, None] * stride + along).flatten()
