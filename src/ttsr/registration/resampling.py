"""A reference resampled so that it fits the LR picture: same scale, same angle, same frame."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ttsr.geometry import Homography, apply, compose, jacobian, scale_and_rotation, translation
from ttsr.images.picture import to_tensor

CELL = 4  # pixels along a cell's side
# Beyond the picture's frame, as a share of its longer side: matches of what lies at its border.
_MARGIN = 0.15
# References that show it larger by more than this are made smaller first, antialiased.
_ANTIALIASED = 1.05
# Those that show it smaller by more than this are enlarged first, where there is something better than bicubic for it.
_ENLARGED = 0.65
_SAMPLES = 96  # along each side, where it is looked for what the reference covers
_STRIP = 2**20  # pixels resampled at once


class Resampled(NamedTuple):
    """A resampled reference.

    Attributes:
        rgb: (H, W, 3) of the type of the reference, in whole cells of 4x4; beyond its border it is repeated.
        mask: (H/4, W/4), the cells that lie in the reference entirely.
        to_source: from its points to points of the reference.
    """

    rgb: NDArray[Any]
    mask: NDArray[np.bool_]
    to_source: Homography


Enlarge = Callable[[NDArray[Any]], NDArray[Any]]
"""A picture (H, W, 3) to (4H, 4W, 3) of the same type."""


def resample(
    reference: NDArray[Any], to_reference: Homography, frame: tuple[int, int], enlarge: Enlarge | None = None
) -> Resampled | None:
    """Resample the part of a reference that lies in a frame or near it, by bicubic interpolation.

    Args:
        reference: (H, W, 3) uint8 or uint16.
        to_reference: from points of the frame to points of the reference.
        frame: (width, height) in pixels.
        enlarge: what enlarges a reference four times that shows the frame much smaller; bicubic if not given.

    Returns:
        The picture, or None where the reference shows nothing of the frame.
    """
    box = _covered(to_reference, frame, (reference.shape[1], reference.shape[0]))
    if box is None:
        return None
    left, top, width, height = box
    to_source = compose(to_reference, translation(left, top))
    source, from_source = _prepared(reference, to_source, (width, height), enlarge)
    to_prepared = compose(from_source, to_source)
    rgb = np.empty((height, width, 3), reference.dtype)
    inside = np.empty((height, width), np.bool_)
    largest = np.iinfo(reference.dtype).max
    step = max(CELL, _STRIP // width)
    for first in range(0, height, step):
        last = min(first + step, height)
        y, x = np.mgrid[first:last, 0:width] + 0.5
        points = apply(to_prepared, np.stack([x.ravel(), y.ravel()], 1))
        where = 2 * points / [source.shape[3], source.shape[2]] - 1
        inside[first:last] = (np.abs(where) <= 1).all(1).reshape(-1, width)
        grid = torch.from_numpy(where).float().view(1, last - first, width, 2)
        # This kernel is sharper than Pillow's, whose blur would cost a good part of the reference's detail.
        part = F.grid_sample(source, grid, mode="bicubic", padding_mode="border", align_corners=False)
        rgb[first:last] = part[0].permute(1, 2, 0).mul(largest).round_().clamp_(0, largest).numpy()
    mask = np.asarray(inside.reshape(height // CELL, CELL, width // CELL, CELL).all((1, 3)))
    if not mask.any():
        return None
    rows, columns = (_span(np.asarray(mask.any(axis))) for axis in (1, 0))
    to_source = compose(to_source, translation(CELL * columns.start, CELL * rows.start))
    kept = rgb[CELL * rows.start : CELL * rows.stop, CELL * columns.start : CELL * columns.stop]
    return Resampled(np.ascontiguousarray(kept), mask[rows, columns], to_source)


def _span(kept: NDArray[np.bool_]) -> slice:
    """From the first to the last that is kept."""
    return slice(int(kept.argmax()), len(kept) - int(kept[::-1].argmax()))


def _covered(
    to_reference: Homography, frame: tuple[int, int], size: tuple[int, int]
) -> tuple[int, int, int, int] | None:
    """Left, top, width and height, all multiples of 4, of the part of the frame with its margin that is covered."""
    margin = CELL * math.ceil(_MARGIN * max(frame) / CELL)
    xs, ys = (np.linspace(-margin, side + margin, _SAMPLES) for side in frame)
    points = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)
    # A homography sends points beyond its horizon to the other side.
    depth = points @ to_reference[2, :2] + to_reference[2, 2]
    middle = np.array(frame) / 2 @ to_reference[2, :2] + to_reference[2, 2]
    there = apply(to_reference, points)
    covered = (depth * middle > 0) & (there >= 0).all(1) & (there <= size).all(1)
    if not covered.any():
        return None
    step = (np.array(frame) + 2 * margin) / (_SAMPLES - 1)
    first = np.maximum(points[covered].min(0) - step, -margin)
    last = np.minimum(points[covered].max(0) + step, np.array(frame) + margin)
    left, top = (math.floor(value / CELL) * CELL for value in first)
    right, bottom = (math.ceil(value / CELL) * CELL for value in last)
    return left, top, right - left, bottom - top


def _prepared(
    reference: NDArray[Any], to_source: Homography, size: tuple[int, int], enlarge: Enlarge | None
) -> tuple[Tensor, Homography]:
    """(1, 3, H, W) in [0, 1] of about one pixel for one of the result, and the map from the reference's points."""
    scale = scale_and_rotation(jacobian(to_source, np.array(size) / 2))[0]
    corners = np.array([[0.0, 0], [size[0], 0], [0, size[1]], size])
    # Only the part that is needed, with what the filters reach.
    there, reach = apply(to_source, corners), 8 * max(1.0, scale)
    left, top = np.maximum(there.min(0) - reach, 0).astype(int)
    right, bottom = np.minimum(there.max(0) + reach, [reference.shape[1], reference.shape[0]]).astype(int)
    if right - left < CELL or bottom - top < CELL:  # corners beyond a horizon
        left, top, right, bottom = 0, 0, reference.shape[1], reference.shape[0]
    part, from_source = reference[top:bottom, left:right], translation(-left, -top)
    if enlarge is not None and scale < _ENLARGED:
        part, from_source, scale = enlarge(part), compose(np.diag([4.0, 4, 1]), from_source), 4 * scale
    source = to_tensor(part)
    if scale <= _ANTIALIASED:
        return source, from_source
    height, width = (max(CELL, round(side / scale)) for side in source.shape[2:])
    shrink = np.diag([width / source.shape[3], height / source.shape[2], 1.0])
    source = F.interpolate(source, size=(height, width), mode="bicubic", antialias=True).clamp_(0, 1)
    return source, compose(shrink, from_source)
