"""Template matching by zero-normalised cross-correlation (ZNCC): where another photo of a scene shows a crop.

Both are compared at an eighth of their size, where small changes of view hardly matter.
"""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ttsr.data.crops import Pixels8

SHRINK = 8


def match_template(crop: Pixels8, photo: Pixels8) -> tuple[float, int, int]:
    """The place of `photo` that correlates best with `crop`.

    Args:
        crop: (h, w, 3) uint8.
        photo: (H, W, 3) uint8, H >= h and W >= w.

    Returns:
        The ZNCC in [-1, 1], and the place's top and left in pixels.
    """
    template, image = _shrink(crop), _shrink(photo)
    template = template - template.mean()
    count = template.numel()
    window = torch.ones_like(template)
    mean = F.conv2d(image, window) / count
    energy = F.conv2d(image.square(), window) - count * mean.square()
    score = F.conv2d(image, template) / (energy.clamp_min(1e-6) * template.square().sum()).sqrt().clamp_min(1e-6)
    best = int(score.argmax())
    top, left = divmod(best, score.shape[3])
    top = min(top * SHRINK, photo.shape[0] - crop.shape[0])
    left = min(left * SHRINK, photo.shape[1] - crop.shape[1])
    return float(score.flatten()[best]), top, left


def _shrink(image: Pixels8) -> Tensor:
    """Gray (1, 1, h / 8, w / 8) in [0, 1]."""
    height, width = (side // SHRINK * SHRINK for side in image.shape[:2])
    gray = Image.fromarray(np.ascontiguousarray(image[:height, :width])).convert("L")
    small = gray.resize((width // SHRINK, height // SHRINK), Image.Resampling.BOX)
    return torch.from_numpy(np.asarray(small, dtype=np.float32) / 255)[None, None]
