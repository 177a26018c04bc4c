"""Upscale the frames of a film one after the other, each with what was found for the one before.

References are fitted once for as long as a scene lasts, and move along with the camera. The matches of a frame, moved
along too, are tried for the next one. That is faster than to begin anew, and textures stay where they are.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttsr.geometry import Homography
from ttsr.images.picture import Picture
from ttsr.images.resize import SCALE
from ttsr.inference.references import Reference
from ttsr.inference.sizes import plan_to, upscale_to
from ttsr.inference.upscaled import Upscaled
from ttsr.inference.upscaler import Upscaler
from ttsr.progress import Progress
from ttsr.registration.pose import PoseKeypoints
from ttsr.video.camera_motion import camera_motion, carried_matches, differ, distance, since

# Pixels of the result by which references lag behind the camera before they are moved: less is an error of estimation.
_LAG = 0.75
_FITTING_SHARE = 0.5  # of the time of a frame to which references are fitted, about
_FOLLOWING_SHARE = 0.1  # where they only move along

MoreReferences = Callable[[int, NDArray[Any]], Sequence[Reference]]
"""Gives further references for a frame, by its number and its pixels (h, w, 3)."""


@dataclass(frozen=True)
class Scene:
    """What the next frame's work depends on.

    Attributes:
        fitted_to: (h, w, 3), the frame that the references were fitted to.
        fitted_at: its number.
        motion: (3, 3), from points of the last frame, enlarged four times, to those of that one.
        index: (h, w, 3), `Upscaled.index` of the last frame; all -1 where nothing was matched.
    """

    fitted_to: NDArray[Any]
    fitted_at: int
    motion: Homography
    index: NDArray[np.int32]


class FrameUpscaler:
    """Upscales frames of one size in their order.

    Args:
        upscaler: the network.
        references: from its `encode_references`, for all frames.
        size: (width, height) of the results.
        more: gives further references for a frame, where references are fitted.

    Attributes:
        references: as they are fitted now.
        scene: what the next frame begins with; None before the first.
        fits: how often references were fitted.
    """

    def __init__(
        self,
        upscaler: Upscaler,
        references: Sequence[Reference],
        size: tuple[int, int],
        more: MoreReferences | None = None,
    ) -> None:
        self._upscaler, self._given, self._size, self._more = upscaler, tuple(references), size, more
        self._fitted: tuple[Reference, ...] = ()  # to the frame that they were fitted to; `references` have moved on
        self._fitted_keypoints: PoseKeypoints | None = None
        self.references: tuple[Reference, ...] = ()
        self.scene: Scene | None = None
        self.fits = 0

    def resume(self, scene: Scene) -> None:
        """Go on behind a frame, from what `scene` was then."""
        self._fit(scene.fitted_to, scene.fitted_at, Progress())
        self._move(Picture(scene.fitted_to), scene.motion, Progress())
        self.scene = scene

    def upscale(self, rgb: NDArray[Any], number: int, progress: Progress | None = None) -> Upscaled:
        """Upscale the next frame, (h, w, 3) uint8 or uint16.

        Raises:
            UserError: as `Upscaler.upscale`.
            Cancelled: through `progress`.
        """
        progress, picture, scene = progress or Progress(), Picture(rgb), self.scene
        start, done = None, _FITTING_SHARE
        if scene is None or differ(rgb, scene.fitted_to):
            self._fit(rgb, number, progress.part(0, done))
            self.fits += 1
            fitted_to, fitted_at, motion = rgb, number, np.eye(3)
        else:
            fitted_to, fitted_at, done = scene.fitted_to, scene.fitted_at, _FOLLOWING_SHARE
            motion = self._follow(picture, scene.motion, progress.part(0, done))
            if scene.index.min() >= 0:
                start = carried_matches(scene.index, since(motion, scene.motion), self.references)
        result = upscale_to(
            self._upscaler,
            picture,
            self._size,
            self.references,
            start=start,
            plan=plan_to(self._upscaler, picture, self._size, self.references),
            progress=progress.part(done, 1),
        )
        index = np.full_like(result.index, -1) if result.own_reference else result.index
        self.scene = Scene(fitted_to, fitted_at, motion, index)
        return result

    def _fit(self, rgb: NDArray[Any], number: int, progress: Progress) -> None:
        more = () if self._more is None else self._more(number, rgb)
        given = (*self._given, *more)
        self._fitted = self._upscaler.fit_references(Picture(rgb), given, progress=progress.part(0, 0.8))
        self._fitted_keypoints = PoseKeypoints(rgb, SCALE)
        self._keep(self._fitted, progress.part(0.8, 1))

    def _follow(self, picture: Picture, before: Homography, progress: Progress) -> Homography:
        """Move the references along with the camera; the motion that they have now."""
        assert self._fitted_keypoints is not None
        if not any(map(_is_resampled, self._fitted)):
            return before
        motion = camera_motion(PoseKeypoints(picture.rgb, SCALE), self._fitted_keypoints)
        if motion is None or distance(motion, before, picture.size) < _LAG:
            return before
        self._move(picture, motion, progress)
        return motion

    def _move(self, picture: Picture, motion: Homography, progress: Progress) -> None:
        if (motion != np.eye(3)).any():
            self._keep(self._upscaler.move_references(picture, self._fitted, motion), progress)

    def _keep(self, references: tuple[Reference, ...], progress: Progress) -> None:
        self._upscaler.keep(references, progress=progress)
        self.references = references


def seconds_to_follow(upscaler: Upscaler, frame: Picture, fitted: Sequence[Reference]) -> float:
    """Measure how long it takes to move references that were fitted to a frame along with the camera, once."""
    if not any(map(_is_resampled, fitted)):
        return 0.0
    began, keypoints = time.perf_counter(), (PoseKeypoints(frame.rgb, SCALE), PoseKeypoints(frame.rgb, SCALE))
    motion = camera_motion(*keypoints)
    moved = upscaler.move_references(frame, fitted, np.eye(3) if motion is None else motion)
    upscaler.keep(moved)
    return time.perf_counter() - began


def _is_resampled(reference: Reference) -> bool:
    return reference.fit is not None and reference.fit.use == "resampled"
