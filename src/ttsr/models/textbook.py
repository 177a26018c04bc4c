"""The textbook form of TTSR, as the paper words it: unfold, multiply, hold the matrix, fold.

The readable definition, the oracle of the tests and what the benchmarks compare with. Simple rather than fast.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ttsr.models.correspondence.types import CELLS, Matches
from ttsr.models.output import TTSROutput
from ttsr.models.ttsr import TTSR


def search(queries: Tensor, keys: Sequence[Tensor], masks: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]:
    """Relevance (B, 1, h, w) and index (B, h, w) of the best key; queries (B, C, h, w), keys (B, C, H, W) each.

    masks: (B, H, W) bool each, the keys that may win.
    """
    batch, _, height, width = queries.shape
    q = F.normalize(F.unfold(queries, 3, padding=1), dim=1)  # B, 9 C, h w
    k = F.normalize(torch.cat([F.unfold(key, 3, padding=1) for key in keys], 2), dim=1)  # B, 9 C, N
    matrix = torch.bmm(k.transpose(1, 2), q)  # B, N, h w
    if masks is not None:
        matrix = matrix.masked_fill(~torch.cat([mask.flatten(1) for mask in masks], 1)[:, :, None], float("-inf"))
    relevance, index = matrix.max(1)
    return relevance.view(batch, 1, height, width), index.view(batch, height, width)


def transfer(index: Tensor, textures: Sequence[Tensor], cell: int) -> Tensor:
    """Texture (B, C, cell h, cell w) of a level; textures (B, C, cell H, cell W) of each reference, cell 1, 2 or 4."""
    batch, height, width = index.shape
    size, padding = 3 * cell, cell
    patches = torch.cat([F.unfold(t, size, padding=padding, stride=cell) for t in textures], 2)  # B, 9 C cell^2, N
    chosen = patches.gather(2, index.view(batch, 1, -1).expand(-1, patches.shape[1], -1))
    return F.fold(chosen, (cell * height, cell * width), size, padding=padding, stride=cell) / 9


def forward(model: TTSR, lr: Tensor, lr_up: Tensor, refs: Sequence[Tensor], ref_blurs: Sequence[Tensor]) -> TTSROutput:
    """The published network in textbook form; images in [0, 1], as `TTSR.forward` takes them.

    With `bicubic_skip` too, but without a trunk or refined matches.
    """
    queries = model.extractor.coarse(lr_up)
    relevance, index = search(queries, [model.extractor.coarse(blur) for blur in ref_blurs])
    levels = list(zip(*[model.extractor(ref) for ref in refs], strict=True))
    textures = [transfer(index, level, cell) for level, cell in zip(levels, CELLS, strict=True)]
    kept = (textures[0], textures[1], textures[2])
    sr = model.synthesis(2 * lr - 1, relevance, kept)
    if model.config.bicubic_skip:
        sr = sr + (2 * lr_up - 1)
    attention = relevance.expand(-1, 3, -1, -1)
    return TTSROutput((sr.clamp(-1, 1) + 1) / 2, Matches(relevance, index), attention, None, kept, queries)
