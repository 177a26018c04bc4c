"""Pictures to the network's input."""

import numpy as np
import torch
from torch import Tensor


def to_tensor(*images: np.ndarray, device: str | torch.device = "cpu") -> Tensor:
    """Images of one size, each (H, W, 3) uint8, to one batch (B, 3, H, W) of float32 in [0, 1]."""
    pixels = torch.from_numpy(np.stack(images)).to(device)
    return pixels.permute(0, 3, 1, 2).float().div_(255)
