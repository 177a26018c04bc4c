"""Sharp frames of a film as references for its other frames: where the camera was nearer, they show more."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttsr.errors import UserError
from ttsr.images.picture import Picture
from ttsr.images.resize import SCALE, cut_to_multiple
from ttsr.inference.references import Reference, ReferencePixels, ReferenceSource
from ttsr.progress import Progress
from ttsr.registration.pose import PoseKeypoints, estimate_pose
from ttsr.video.film import Film
from ttsr.video.frame_upscaler import MoreReferences

# A frame shows the subject at a quarter of the result's scale. One that shows it so much larger helps.
_NEARER = 1.2 / SCALE
# Frames that are tried for each fit, the nearest in time, and those that are used at most.
_TRIED, _USED = 12, 2


@dataclass(frozen=True)
class SharpFrame:
    """The sharpest of some frames in a row.

    Attributes:
        number: of the frame in its film.
        pixels: the frame as a reference.
    """

    number: int
    pixels: ReferencePixels


def find_sharp_frames(film: Film, every: int, *, progress: Progress | None = None) -> tuple[SharpFrame, ...]:
    """The sharpest of every so many frames in a row, by the mean square of the luma's Laplacian.

    Raises:
        UserError: `every` is less than 2.
        ImageError: the film is gone.
        Cancelled: through `progress`.
    """
    if every < 2:
        raise UserError(f"a sharp frame out of every {every}: is not possible", "give a number from 2 on")
    progress, found, best = progress or Progress(), [], -1.0
    for frame in film.frames():
        progress.update(min(1, frame.number / film.num_frames), "sharp frames")
        if frame.number % every == 0:
            best = -1.0
            found.append(None)
        sharpness = _sharpness(frame.rgb)
        if sharpness > best:
            best = sharpness
            source = ReferenceSource(f"frame {frame.number}", None, film.size)
            found[-1] = SharpFrame(frame.number, ReferencePixels(cut_to_multiple(frame.rgb), source))
    return tuple(found)


def nearer_frames(frames: Sequence[SharpFrame]) -> MoreReferences:
    """Those of `frames` that show the subject of a frame larger than it does: two at most, the largest first."""

    def find(number: int, rgb: NDArray[Any]) -> tuple[Reference, ...]:
        tried = sorted(frames, key=lambda frame: abs(frame.number - number))[:_TRIED]
        lr = PoseKeypoints(rgb, SCALE)
        scales = []
        for frame in tried:
            pose = estimate_pose(lr, frame.pixels.keypoints) if frame.number != number else None
            if pose is not None and pose.scale >= _NEARER:
                scales.append((-pose.scale, frame.number, frame))
        return tuple(Reference(frame.pixels) for _, _, frame in sorted(scales)[:_USED])

    return find


def _sharpness(rgb: np.ndarray) -> float:
    luma = Picture(rgb).in_eight_bits().rgb.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    if min(luma.shape) < 3:
        return 0.0
    around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    return float(((around - 4 * luma[1:-1, 1:-1]) ** 2).mean())
