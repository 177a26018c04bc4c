"""The pose of a reference: how large, how far rotated and where it shows what the LR picture shows."""

from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttsr.geometry import Homography, apply, compose, jacobian, normalize, scale_and_rotation, similarity
from ttsr.registration.estimate import Registration, register
from ttsr.registration.keypoints import Keypoints, find_keypoints

# Longest sides of the copies that keypoints are looked for in: the larger ones where the smaller ones agree too little.
_COPY_SIDES = (640, 1280)
_KEYPOINTS = {640: 1500, 1280: 3000}
_ENOUGH_INLIERS = 30
# Of fewer inliers than this, a homography bends what lies between and beyond them; the similarity is safer.
_FEWEST_FOR_HOMOGRAPHY = 20


@dataclass(frozen=True)
class Pose:
    """Where a reference shows what the LR picture shows.

    Attributes:
        to_reference: from points of the LR picture, enlarged four times, to points of the upright reference.
        size: (width, height) of the enlarged LR in pixels.
        inliers: keypoints that agree.
    """

    to_reference: Homography
    size: tuple[int, int]
    inliers: int

    @cached_property
    def _at_centre(self) -> NDArray[np.float64]:
        return jacobian(self.to_reference, np.array(self.size) / 2)

    @property
    def mirrored(self) -> bool:
        """The reference shows the mirror image."""
        return bool(np.linalg.det(self._at_centre) < 0)

    @property
    def scale(self) -> float:
        """Pixels of the reference for one of the enlarged LR, in the middle of the picture."""
        return scale_and_rotation(self._at_centre)[0]

    @property
    def rotation(self) -> float:
        """Degrees in (-180, 180] by which the reference shows it rotated, clockwise, mirrored left to right before."""
        return scale_and_rotation(self._at_centre @ np.diag([-1.0 if self.mirrored else 1.0, 1.0]))[1]


class PoseKeypoints:
    """The keypoints of one picture for pose estimation, each set found when it is first asked for.

    Args:
        photo: (H, W, 3) uint8 or uint16.
        enlarge: the picture is taken as enlarged by so much: 4 for an LR picture, 1 for a reference.

    Attributes:
        size: (width, height) in pixels, enlarged.
    """

    def __init__(self, photo: NDArray[Any], enlarge: int = 1) -> None:
        self.size = (enlarge * photo.shape[1], enlarge * photo.shape[0])
        self._photo, self._enlarge, self._lock = photo, enlarge, Lock()
        # A reference may show it smaller: of small photos SIFT finds little at their own size.
        self._zoom = 2 if enlarge == 1 else 1
        self._found: dict[tuple[int, bool], Keypoints] = {}

    def at(self, copy_side: int, *, mirrored: bool = False) -> Keypoints:
        """The keypoints in a copy of at most this side, of the picture or of its mirror image."""
        copy_side = min(copy_side, round(self._zoom * max(self.size)))
        number = _KEYPOINTS[next(side for side in _COPY_SIDES if copy_side <= side)]
        with self._lock:
            if (copy_side, mirrored) not in self._found:
                photo = self._photo if self._photo.dtype == np.uint8 else (self._photo >> 8).astype(np.uint8)
                photo = np.ascontiguousarray(photo[:, ::-1]) if mirrored else photo
                zoom = self._zoom * self._enlarge
                found = find_keypoints(photo, copy_side=copy_side, max_keypoints=number, enlarge=zoom)
                found.records["point"] *= self._enlarge
                found.records["scale"] *= self._enlarge
                self._found[copy_side, mirrored] = Keypoints(self.size, found.records)
            return self._found[copy_side, mirrored]


def estimate_pose(lr: PoseKeypoints, reference: PoseKeypoints, *, mirrored: bool = False) -> Pose | None:
    """The pose that most keypoints agree with; None if the pictures do not seem to show the same thing.

    With `mirrored` the mirror image of the reference is tried too.
    """
    best: Registration | None = None
    best_mirrored = False
    for side in _COPY_SIDES:
        for flip in (False, True) if mirrored else (False,):
            found = register(lr.at(side), reference.at(side, mirrored=flip))
            if found is not None and (best is None or len(found.points) > len(best.points)):
                best, best_mirrored = found, flip
        if best is not None and len(best.points) >= _ENOUGH_INLIERS:
            break
    if best is None:
        return None
    few = len(best.points) < _FEWEST_FOR_HOMOGRAPHY
    to_reference = fit_similarity(best.points, best.matched_points) if few else best.homography
    if best_mirrored:
        to_reference = compose(np.array([[-1.0, 0, reference.size[0]], [0, 1, 0], [0, 0, 1]]), to_reference)
    return Pose(normalize(to_reference), lr.size, len(best.points))


def fit_similarity(points: NDArray[np.float64], matched_points: NDArray[np.float64]) -> Homography:
    """The similarity that maps (N, 2) points to others with the least sum of squared distances (Umeyama, 1991)."""
    middle, matched_middle = points.mean(0), matched_points.mean(0)
    here, there = (points - middle) @ np.array([1, 1j]), (matched_points - matched_middle) @ np.array([1, 1j])
    factor = np.vdot(here, there) / np.vdot(here, here)
    turned = similarity(abs(factor), float(np.degrees(np.angle(factor))))
    turned[:2, 2] = matched_middle - apply(turned, middle[None])[0]
    return turned
