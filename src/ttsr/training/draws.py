"""What a pair draws at random beside its pixels.

It depends on the seed and the pair's number alone: not on the process that has it, nor on what was drawn before.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

# One stream each, so that neither depends on how much the other draws.
_ANCHORS, _MIXTURE = 1, 2


def draw_anchors(seed: int, numbers: Sequence[int], num_anchors: int, num_cells: int) -> Tensor:
    """Query cells for the contrastive term: (B, num_anchors) int64 in [0, num_cells)."""
    drawn = [
        np.random.default_rng([seed, number, _ANCHORS]).integers(num_cells, size=num_anchors) for number in numbers
    ]
    return torch.from_numpy(np.stack(drawn))


def draw_mixture(seed: int, numbers: Sequence[int], turn: int) -> Tensor:
    """Where between SR and HR the gradient penalty is taken in turn `turn` of a step: (B,) float in [0, 1)."""
    drawn = [np.random.default_rng([seed, number, _MIXTURE, turn]).random() for number in numbers]
    return torch.tensor(drawn, dtype=torch.float32)
