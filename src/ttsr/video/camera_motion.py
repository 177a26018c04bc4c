"""How the camera has moved between two frames, and what of one frame's matches holds for another."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttsr.geometry import Homography, apply, compose, invert
from ttsr.images.resize import SCALE, resize_bicubic
from ttsr.inference.references import Reference
from ttsr.registration.pose import PoseKeypoints, estimate_pose

# Frames are compared on copies of so many pixels along their longer side.
_THUMBNAIL = 32
# The mean difference of such copies, of values in [0, 1], from which on a frame is another picture.
_CHANGED = 0.1
# Between frames that are not, a camera does not zoom or turn by more than this; such a motion is a mistake.
_MOST_ZOOM, _MOST_DEGREES = 1.3, 20.0
_GRID = 5  # points along each side at which motions are compared


def differ(frame: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two frames (h, w, 3) show different pictures: another scene, other light, or hardly the same part."""
    if frame.shape != other.shape:
        return True
    return float(np.abs(_thumbnail(frame) - _thumbnail(other)).mean()) > _CHANGED


def camera_motion(frame: PoseKeypoints, other: PoseKeypoints) -> Homography | None:
    """From points of a frame, enlarged four times, to those of another that show the same; None if it is not found."""
    pose = estimate_pose(frame, other)
    if pose is None or abs(pose.rotation) > _MOST_DEGREES or not 1 / _MOST_ZOOM < pose.scale < _MOST_ZOOM:
        return None
    return pose.to_reference


def distance(motion: Homography, other: Homography, size: tuple[int, int]) -> float:
    """By how many pixels two motions of a frame of (width, height), enlarged four times, differ: root mean square."""
    across, down = (np.linspace(0, SCALE * side, _GRID) for side in size)
    points = np.stack(np.meshgrid(across, down), -1).reshape(-1, 2)
    return float(np.sqrt(((apply(motion, points) - apply(other, points)) ** 2).sum(1).mean()))


def carried_matches(index: NDArray[np.int32], motion: Homography, references: Sequence[Reference]) -> NDArray[np.int64]:
    """The matches of a frame, where they lie for the next one: what `Upscaler.upscale` takes as its `start`.

    Args:
        index: (h, w, 3), `Upscaled.index` of the frame before.
        motion: from points of the next frame, enlarged four times, to those of the frame before.
        references: as they are fitted to the next frame; at least one is not left out.

    Returns:
        (h, w), as `Upscaled.matches`; any place where a match is in a reference that is left out now.
    """
    height, width = index.shape[:2]
    y, x = SCALE * np.mgrid[:height, :width] + SCALE / 2
    there = np.floor(apply(motion, np.stack([x.ravel(), y.ravel()], 1)) / SCALE).astype(int)
    before = index[there[:, 1].clip(0, height - 1), there[:, 0].clip(0, width - 1)]
    matches, first = np.zeros(height * width, np.int64), 0
    for number, reference in enumerate(references):
        if reference.left_out:
            continue
        own = before[:, 0] == number
        places = before[own][:, [2, 1]] + SCALE / 2
        cells = np.floor(apply(invert(reference.pixels.to_source), places) / SCALE).astype(int)
        rows, columns = reference.grid
        matches[own] = first + cells[:, 1].clip(0, rows - 1) * columns + cells[:, 0].clip(0, columns - 1)
        first += rows * columns
    return matches.reshape(height, width)


def since(motion: Homography, before: Homography) -> Homography:
    """From a frame to the one before, of the motions of both to a third."""
    return compose(invert(before), motion)


def _thumbnail(frame: NDArray[Any]) -> NDArray[np.float64]:
    height, width = frame.shape[:2]
    shrink = max(1.0, max(height, width) / _THUMBNAIL)
    small = resize_bicubic(frame, max(1, round(width / shrink)), max(1, round(height / shrink)))
    return small.astype(np.float64) / np.iinfo(frame.dtype).max
