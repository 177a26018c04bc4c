"""Registration of two photos: nearest descriptors, ratio test, and one homography by RANSAC.

The constants were chosen on 248 photos of 73 scenes among 110 photos of other things: of 63,385 photo pairs of
different scenes none is accepted, nor with two inliers fewer; of 518 within a scene 233 are, from 60 scenes (many of
the rest are ends of panoramas that share nothing).
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttsr.geometry import Homography, apply, invert, jacobian, normalize
from ttsr.registration.keypoints import Keypoints

MAX_RATIO = 0.85  # Lowe's ratio test: the nearest descriptor must be so much nearer than the second nearest
# How far, of the photo's longest side, a match may lie from where one keypoint's position, scale and angle put it.
LOOSE_TOLERANCE = 0.05
TOLERANCE = 0.006  # how far, of the photo's longest side, an inlier may lie from where the homography puts it
MIN_AGREEING = 5  # matches that must agree loosely before a homography is estimated
MIN_INLIERS = 8  # inliers that a homography needs for the photos to be taken to show the same thing
MAX_SCALE_CHANGE = 6.0  # a homography that changes the scale more than this is rejected


@dataclass(frozen=True)
class Registration:
    """Where a second photo shows what a first one shows: a map of its points, and the (N, 2) inliers in both."""

    homography: Homography
    points: NDArray[np.float64]
    matched_points: NDArray[np.float64]

    def inverse(self) -> "Registration":
        """Where the first photo shows what the second one shows."""
        return Registration(normalize(invert(self.homography)), self.matched_points, self.points)


def register(first: Keypoints, second: Keypoints) -> Registration | None:
    """Match the keypoints of two photos and estimate the homography; None if they do not show the same thing."""
    return estimate_homography(first, second, match_descriptors(first.root_descriptors, second.root_descriptors))


def match_descriptors(first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[NDArray, NDArray]:
    """Rows of `first` and rows of `second` that are each other's nearest and pass the ratio test.

    Both are (N, 128) of length 1, as `Keypoints.root_descriptors`.
    """
    if not len(first) or len(second) < 2:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    cosine = first @ second.T
    rows = np.arange(len(first))
    best = cosine.argmax(axis=1)
    nearest = cosine[rows, best]
    cosine[rows, best] = -1
    second_nearest = cosine.max(axis=1)
    cosine[rows, best] = nearest
    # Squared distances of vectors of length 1 are 2 - 2 cosine.
    passed = np.flatnonzero(1 - nearest <= MAX_RATIO**2 * (1 - second_nearest))
    mutual = cosine[:, best[passed]].max(axis=0, initial=-1) <= nearest[passed]
    return passed[mutual], best[passed[mutual]]


def estimate_homography(first: Keypoints, second: Keypoints, matches: tuple[NDArray, NDArray]) -> Registration | None:
    """The homography from `first` to `second` that most matches of `match_descriptors` agree with; deterministic.

    None if too few matches agree, or only on a homography that mirrors or changes the scale too much.
    """
    rows, columns = matches
    if len(rows) < MIN_AGREEING:
        return None
    agreeing = _largest_agreement(first, second, rows, columns)
    if np.count_nonzero(agreeing) < MIN_AGREEING:
        return None
    side = max(second.size)
    points = first.points[rows].astype(np.float64)
    matched_points = second.points[columns].astype(np.float64)
    homography = _ransac(points[agreeing], matched_points[agreeing], side)
    if homography is None:
        return None
    # A single similarity holds loosely in a part of the photo only; the homography finds its inliers everywhere.
    near = np.linalg.norm(apply(homography, points) - matched_points, axis=1) < 2 * TOLERANCE * side
    if np.count_nonzero(near) < MIN_INLIERS:
        return None
    homography = _ransac(points[near], matched_points[near], side)
    if homography is None:
        return None
    inliers = np.linalg.norm(apply(homography, points) - matched_points, axis=1) < TOLERANCE * side
    points, matched_points = points[inliers], matched_points[inliers]
    # Without copies of a match: a position with several angles has a keypoint for each.
    _, firsts = np.unique(np.round(np.hstack([points, matched_points])), axis=0, return_index=True)
    if len(firsts) < MIN_INLIERS:
        return None
    firsts.sort()
    points, matched_points = points[firsts], matched_points[firsts]
    # Nothing is mirrored, and the scale changes within limits at every inlier.
    areas = np.array([np.linalg.det(jacobian(homography, point)) for point in points])
    plausible = (areas > MAX_SCALE_CHANGE**-2) & (areas < MAX_SCALE_CHANGE**2)
    return Registration(homography, points, matched_points) if plausible.all() else None


def _largest_agreement(first: Keypoints, second: Keypoints, rows: NDArray, columns: NDArray) -> NDArray[np.bool_]:
    """Which matches agree loosely with the match that most agree with."""
    # Position, scale and angle of one match's keypoints give a similarity (Philbin et al., 2007): no samples are drawn.
    here, there = first.records[rows], second.records[columns]
    points, matched_points = here["point"] @ np.array([1, 1j]), there["point"] @ np.array([1, 1j])
    # scikit-image measures angles from the y axis to the x axis, against the sense of x + iy.
    similarity = there["scale"] / here["scale"] * np.exp(1j * (here["angle"] - there["angle"]))
    expected = similarity[:, None] * (points - points[:, None]) + matched_points[:, None]
    agreeing = np.abs(expected - matched_points) < LOOSE_TOLERANCE * max(second.size)
    return agreeing[agreeing.sum(axis=1).argmax()]


def _ransac(points: NDArray, matched_points: NDArray, side: int) -> Homography | None:
    from skimage import measure
    from skimage.transform import ProjectiveTransform

    ransac: Any = measure.ransac  # its annotations forbid what its documentation allows

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # "no inliers" is an answer
        model, inliers = ransac(
            (points, matched_points),
            ProjectiveTransform,
            min_samples=4,
            residual_threshold=TOLERANCE * side,
            max_trials=300,
            stop_probability=0.999,
            rng=np.random.default_rng(0),
        )
    if not model or inliers is None:  # also for scikit-image's object that stands for a failure
        return None
    homography = np.asarray(model.params, np.float64)
    return normalize(homography) if np.isfinite(homography).all() and homography[2, 2] else None
