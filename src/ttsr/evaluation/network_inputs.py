"""What a network is given for a truth and its references: each protocol brings them to size in its own way."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ttsr.evaluation.protocols import Fit
from ttsr.images.resize import SCALE, blur_by_resize, cut_to_multiple, downscale4, upscale4

STACKED_SIDE = 500
"""Side of the square that each of several stacked references is put on, in pixels."""


@dataclass(frozen=True)
class Inputs:
    """All pictures that one pass takes, (H, W, 3) uint8; `ref_blur` is `references`, degraded.

    Every side is a multiple of 4, but for `lr`, which is a quarter of `lr_up`.
    """

    lr: np.ndarray
    lr_up: np.ndarray
    references: tuple[np.ndarray, ...]
    ref_blur: tuple[np.ndarray, ...]


def fit(hr: np.ndarray, references: Sequence[np.ndarray], way: Fit) -> Inputs:
    """Bring a truth and its references to size, and degrade them four times.

    Args:
        hr: (H, W, 3) uint8, cut to multiples of 4.
        references: (H, W, 3) uint8 of any sizes from 4x4 on.
        way: "whole" cuts references to multiples of 4 (TTSR's authors). "as the truth" cuts them at the right and
            below to the truth's size, or continues them there in black (MMagic's CropLike). "both padded" continues
            the references and the truth itself in black to the largest height and width among them, after cutting
            each to multiples of 4 (C2-Matching); the LR is then larger than the truth's quarter.
    """
    if way == "as the truth":
        return _inputs(hr, [_on_black(image, hr.shape[:2]) for image in references])
    whole = [cut_to_multiple(image) for image in references]
    if way == "whole":
        return _inputs(hr, whole)
    height = max(image.shape[0] for image in (hr, *whole))
    width = max(image.shape[1] for image in (hr, *whole))
    return _inputs(_on_black(hr, (height, width)), [_on_black(image, (height, width)) for image in whole])


def stack(references: Sequence[np.ndarray]) -> np.ndarray:
    """References below one another on black squares of 500x500, each at its square's top left: the paper's 27.09.

    Where one of them is larger, all squares are as large as the largest side, in whole fours.
    """
    largest = max(max(image.shape[:2]) for image in references)
    side = max(STACKED_SIDE, -(-largest // SCALE) * SCALE)
    return np.concatenate([_on_black(image, (side, side)) for image in references])


def _inputs(hr: np.ndarray, references: Sequence[np.ndarray]) -> Inputs:
    lr = downscale4(hr)
    return Inputs(lr, upscale4(lr), tuple(references), tuple(blur_by_resize(image) for image in references))


def _on_black(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    canvas = np.zeros((*size, 3), np.uint8)
    kept = image[: size[0], : size[1]]
    canvas[: kept.shape[0], : kept.shape[1]] = kept
    return canvas
