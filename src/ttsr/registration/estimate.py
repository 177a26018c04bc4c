"""Which of two photos' key points show the same things: nearest descriptors, ratio test, and one homography.

The constants were chosen on 248 photos of 73 scenes among 110 photos of other things: of 63,385 photo pairs of
different scenes none is accepted, nor with two inliers fewer; of 518 within a scene 233 are, from 60 scenes (many of
the rest are ends of panoramas that share nothing).
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttsr.registration.keypoints import Features

MAX_RATIO = 0.85
"""Lowe's ratio test: the nearest descriptor must be so much nearer than the second nearest."""

LOOSE_TOLERANCE = 0.05
"""How far, of the photo's longest side, a match may lie from where one key point's position, scale and angle put it."""

TOLERANCE = 0.006
"""How far, of the photo's longest side, an inlier may lie from where the homography puts it."""

MIN_AGREEING = 5
"""Matches that must agree loosely before a homography is looked for."""

MIN_INLIERS = 8
"""Inliers that a homography needs for the photos to be taken to show the same thing."""

MAX_STRETCH = 6.0
"""A homography that changes the scale more than this is no view of the same thing."""

_SAMPLING: dict[str, Any] = {"min_samples": 4, "max_trials": 300, "stop_probability": 0.999}

Homography = NDArray[np.float64]
"""3x3, from pixels (x, y) of one photo to those of another, the corner of the first pixel at (0, 0)."""


@dataclass(frozen=True)
class View:
    """How a second photo shows what a first one shows.

    Attributes:
        homography: from the first photo to the second.
        points, seen: (N, 2) float64, the inliers in the first photo and where the second shows them.
    """

    homography: Homography
    points: NDArray[np.float64]
    seen: NDArray[np.float64]

    def inverse(self) -> "View":
        """How the first photo shows what the second one shows."""
        back = np.linalg.inv(self.homography)
        return View(back / back[2, 2], self.seen, self.points)


def root_sift(descriptors: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Square roots of (N, 128) descriptors whose entries sum to one (Arandjelović and Zisserman, 2012): of length 1."""
    floats = descriptors.astype(np.float32)
    return np.sqrt(floats / np.maximum(floats.sum(axis=1, keepdims=True), 1))


def match_descriptors(first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[NDArray, NDArray]:
    """Rows of `first` and rows of `second` that are each other's nearest and pass the ratio test.

    Both are (N, 128) of length 1, from `root_sift`.
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


def find_view(first: Features, second: Features, matches: tuple[NDArray, NDArray]) -> View | None:
    """The homography that most of `matches`, rows of both photos' features, agree with; None if too few do.

    The same answer every time.
    """
    rows, columns = matches
    if len(rows) < MIN_AGREEING:
        return None
    agreeing = _largest_agreement(first, second, rows, columns)
    if np.count_nonzero(agreeing) < MIN_AGREEING:
        return None
    side = max(second.size)
    points = first.points[rows].astype(np.float64)
    seen = second.points[columns].astype(np.float64)
    homography = _ransac(points[agreeing], seen[agreeing], side)
    if homography is None:
        return None
    # A single similarity holds loosely in a part of the photo only; the homography finds its inliers everywhere.
    near = np.linalg.norm(project(homography, points) - seen, axis=1) < 2 * TOLERANCE * side
    if np.count_nonzero(near) < MIN_INLIERS:
        return None
    homography = _ransac(points[near], seen[near], side)
    if homography is None:
        return None
    inliers = np.linalg.norm(project(homography, points) - seen, axis=1) < TOLERANCE * side
    points, seen = _once_each(points[inliers], seen[inliers])
    if len(points) < MIN_INLIERS or not _plausible(homography, points):
        return None
    return View(homography, points, seen)


def project(homography: Homography, points: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N, 2) points of the first photo to the second. A point at the horizon goes to infinity."""
    mapped = points @ homography[:, :2].T + homography[:, 2]
    horizon = mapped[:, 2:] == 0
    return np.where(horizon, np.inf, mapped[:, :2] / np.where(horizon, 1, mapped[:, 2:]))


def jacobian(homography: Homography, point: NDArray[np.floating]) -> NDArray[np.float64]:
    """2x2: how a step in the first photo at `point` is seen in the second."""
    x, y, w = homography @ np.append(point, 1.0)
    top = homography[:2, :2] - np.outer([x / w, y / w], homography[2, :2])
    return top / w


def _largest_agreement(first: Features, second: Features, rows: NDArray, columns: NDArray) -> NDArray[np.bool_]:
    """Which matches agree loosely with the match that most agree with.

    Position, scale and angle of one match's key points make a similarity (Philbin et al., 2007), so that no sample has
    to be drawn.
    """
    there, here = second.key_points[columns], first.key_points[rows]
    points, seen = here["place"] @ np.array([1, 1j]), there["place"] @ np.array([1, 1j])
    # scikit-image measures angles from the y axis to the x axis, against the sense of x + iy.
    similarity = there["scale"] / here["scale"] * np.exp(1j * (here["angle"] - there["angle"]))
    expected = similarity[:, None] * (points - points[:, None]) + seen[:, None]
    agreeing = np.abs(expected - seen) < LOOSE_TOLERANCE * max(second.size)
    return agreeing[agreeing.sum(axis=1).argmax()]


def _ransac(points: NDArray, seen: NDArray, side: int) -> Homography | None:
    from skimage.measure import ransac
    from skimage.transform import ProjectiveTransform

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "no inliers" is an answer
        with np.errstate(all="ignore"):
            model, inliers = ransac(
                (points, seen),
                ProjectiveTransform,
                residual_threshold=TOLERANCE * side,
                **_SAMPLING,
                rng=np.random.default_rng(0),
            )
    if not model or inliers is None:  # also for scikit-image's object that stands for a failure
        return None
    homography = np.asarray(model.params, np.float64)
    return homography / homography[2, 2] if np.isfinite(homography).all() and homography[2, 2] else None


def _once_each(points: NDArray, seen: NDArray) -> tuple[NDArray, NDArray]:
    """Without a match's copies: a place with several angles has a key point for each."""
    _, firsts = np.unique(np.round(np.hstack([points, seen])), axis=0, return_index=True)
    firsts.sort()
    return points[firsts], seen[firsts]


def _plausible(homography: Homography, points: NDArray) -> bool:
    """Nothing is mirrored, and the scale stays within `MAX_STRETCH` at every inlier."""
    areas = np.array([np.linalg.det(jacobian(homography, point)) for point in points])
    return bool(np.all((areas > MAX_STRETCH**-2) & (areas < MAX_STRETCH**2)))
