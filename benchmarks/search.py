"""Search and transfer, ours against the textbook form: `python benchmarks/search.py [--output F.json]`.

The features are random, of the published widths (256, 128, 64); the reference is four times the LR. At the end ours
once more at 80x125, alone and beside another process that keeps one core busy all the time, in turns.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from measure import compare, in_this_process

from ttsr.models import textbook
from ttsr.models.correspondence.cell_transfer import CellTransfer
from ttsr.models.correspondence.exact import EXACT
from ttsr.models.correspondence.types import CELLS, Box, EncodedReference


def ours(queries: torch.Tensor, keys: torch.Tensor, textures: list[torch.Tensor]) -> None:
    """Search and transfer, including the storing of the textures, which a stored reference needs only once."""
    grid, transfer = (keys.shape[2], keys.shape[3]), CellTransfer()
    storages = []
    for texture, cell in zip(textures, CELLS, strict=True):
        storages.append(transfer.storage(keys, grid, cell, texture.shape[1]))
        transfer.store(storages[-1], texture, cell, Box(0, grid[0], 0, grid[1]), grid)
    reference = EncodedReference(keys, (storages[0], storages[1], storages[2]))
    transferred = transfer(EXACT(queries, [keys]), [reference], queries)
    for level in range(3):
        transferred.level(level)


def by_the_book(queries: torch.Tensor, keys: torch.Tensor, textures: list[torch.Tensor]) -> None:
    """Search and transfer in the textbook form."""
    _, index = textbook.search(queries, [keys])
    for texture, cell in zip(textures, CELLS, strict=True):
        textbook.transfer(index, [texture], cell)


def measure_one(form: str, height: int, width: int) -> None:
    """Time one form at one size."""
    torch.manual_seed(0)
    queries, keys = (torch.randn(1, 256, height, width).relu() for _ in range(2))
    textures = [
        torch.randn(1, channels, cell * height, cell * width).relu().contiguous(memory_format=torch.channels_last)
        for channels, cell in ((256, 1), (128, 2), (64, 4))
    ]
    work = by_the_book if form == "textbook" else ours
    with torch.no_grad(), busy_process() if form == "busy" else nullcontext():
        corners = [t[:, :, : 8 * cell, : 8 * cell] for t, cell in zip(textures, CELLS, strict=True)]
        work(queries[:, :, :8, :8], keys[:, :, :8, :8], corners)
        in_this_process(lambda: work(queries, keys, textures))


@contextmanager
def busy_process() -> Iterator[None]:
    """Another process that computes without end."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    compare(Path(__file__), __doc__ or "", measure_one, beside=("quiet", "busy"), beside_size="80x125")
