"""Search and transfer, ours against the textbook form: `python benchmarks/search.py [--output F.json]`.

The features are random, of the published widths (256, 128, 64); the reference is four times the LR.
"""

from pathlib import Path

import torch
from measure import compare, in_this_process

from ttsr.models import textbook
from ttsr.models.correspondence.exact import search
from ttsr.models.correspondence.patches import cells_to_pixels, empty_table, write_cells
from ttsr.models.correspondence.transfer import transfer


def ours(queries: torch.Tensor, keys: torch.Tensor, textures: list[torch.Tensor]) -> None:
    """Tables included, though a user who keeps a reference pays for them once."""
    grid = (keys.shape[2], keys.shape[3])
    _, index = search(queries, [keys])
    for texture, cell in zip(textures, (1, 2, 4), strict=True):
        table = empty_table(texture, grid, cell * cell * texture.shape[1])
        write_cells(table, texture, cell, 0)
        cells_to_pixels(transfer(index, [table], [grid], 0, index.shape[1]), (index.shape[1], index.shape[2]), cell)


def by_the_book(queries: torch.Tensor, keys: torch.Tensor, textures: list[torch.Tensor]) -> None:
    _, index = textbook.search(queries, [keys])
    for texture, cell in zip(textures, (1, 2, 4), strict=True):
        textbook.transfer(index, [texture], cell)


def measure_one(form: str, height: int, width: int) -> None:
    torch.manual_seed(0)
    queries, keys = (torch.randn(1, 256, height, width).relu() for _ in range(2))
    textures = [
        torch.randn(1, channels, cell * height, cell * width).relu().contiguous(memory_format=torch.channels_last)
        for channels, cell in ((256, 1), (128, 2), (64, 4))
    ]
    work = {"ours": ours, "textbook": by_the_book}[form]
    with torch.no_grad():
        corners = [t[:, :, : 8 * cell, : 8 * cell] for t, cell in zip(textures, (1, 2, 4), strict=True)]
        work(queries[:, :, :8, :8], keys[:, :, :8, :8], corners)
        in_this_process(lambda: work(queries, keys, textures))


if __name__ == "__main__":
    compare(Path(__file__), __doc__ or "", measure_one)
