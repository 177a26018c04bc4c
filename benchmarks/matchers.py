"""The coarse-to-fine search against the exact one: `python benchmarks/matchers.py [--output F.json]`.

Features of 64 channels, as `ttsr-lite` has them; the reference is four times the LR, and shows it with noise.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from measure import compare, in_this_process

from ttsr.models.correspondence.coherent import COHERENT
from ttsr.models.correspondence.exact import EXACT


def measure_one(form: str, height: int, width: int) -> None:
    """Time one search at one size."""
    torch.manual_seed(0)
    coarse = torch.randn(1, 64, height // 4, width // 4)
    keys = F.interpolate(coarse, size=(height, width), mode="bicubic").relu()
    queries = (keys.roll((5, 9), (2, 3)) + 0.3 * torch.randn_like(keys)).relu()
    matcher = {"exact": EXACT, "coherent": COHERENT}[form]
    matcher(queries[:, :, :40, :40], [keys[:, :, :40, :40]])
    in_this_process(lambda: matcher(queries, [keys]))


if __name__ == "__main__":
    sizes = ("80x125", "160x250", "300x300")
    compare(Path(__file__), __doc__ or "", measure_one, forms=("exact", "coherent"), sizes=sizes)
