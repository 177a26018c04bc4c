"""The network's inputs for a ground truth and its references, resized and degraded as each protocol does it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ttsr.images.resize import SCALE, blur_by_resize, cut_to_multiple, downscale4, upscale4

Sizing = Literal["own size", "HR size", "both padded"]
"""How single references are brought to size before degradation; see `prepare_inputs`."""

STACKED_SIDE = 500
"""Side of the square that each of several stacked references is placed on, in pixels."""


@dataclass(frozen=True)
class NetworkInputs:
    """All images of one forward pass, (H, W, 3) uint8. All sides are multiples of 4, except those of `lr`.

    Attributes:
        lr: the LR image.
        lr_up: `lr` upscaled four times by bicubic.
        references: the reference images.
        ref_blur: `references`, each downscaled and upscaled four times.
    """

    lr: np.ndarray
    lr_up: np.ndarray
    references: tuple[np.ndarray, ...]
    ref_blur: tuple[np.ndarray, ...]


def prepare_inputs(hr: np.ndarray, references: Sequence[np.ndarray], sizing: Sizing) -> NetworkInputs:
    """Bring a ground truth and its references to size, and degrade them by a factor of 4.

    Args:
        hr: (H, W, 3) uint8, cropped to multiples of 4.
        references: (H, W, 3) uint8 of any size from 4x4 on.
        sizing: "own size" crops references to multiples of 4 (TTSR's authors). "HR size" crops or zero-pads them at
            the right and bottom to the size of `hr` (MMagic's CropLike). "both padded" crops references to multiples
            of 4, then zero-pads them and `hr` to the largest height and width among them (C2-Matching); the LR is
            then larger than a quarter of `hr`.
    """
    if sizing == "HR size":
        references = [_crop_or_pad(image, hr.shape[:2]) for image in references]
    else:
        references = [cut_to_multiple(image) for image in references]
        if sizing == "both padded":
            size = tuple(np.max([image.shape[:2] for image in (hr, *references)], axis=0))
            hr, *references = (_crop_or_pad(image, size) for image in (hr, *references))
    lr = downscale4(hr)
    return NetworkInputs(lr, upscale4(lr), tuple(references), tuple(blur_by_resize(image) for image in references))


def stack_references(references: Sequence[np.ndarray]) -> np.ndarray:
    """References one below the other, each at the top left of a black square of 500x500, as for the paper's 27.09.

    If any of them is larger, all squares grow to the largest side, rounded up to a multiple of 4.
    """
    largest = max(max(image.shape[:2]) for image in references)
    side = max(STACKED_SIDE, -(-largest // SCALE) * SCALE)
    return np.concatenate([_crop_or_pad(image, (side, side)) for image in references])


def _crop_or_pad(image: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Crop or zero-pad at the right and bottom."""
    kept = image[: size[0], : size[1]]
    return np.pad(kept, ((0, size[0] - kept.shape[0]), (0, size[1] - kept.shape[1]), (0, 0)))
