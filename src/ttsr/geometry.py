"""Plane geometry of pictures: homographies and similarities, as 3x3 matrices.

A point is (x, y) in pixels, x to the right and y down. The corner of the first pixel is at (0, 0), its centre at
(0.5, 0.5). A matrix H maps (x, y) to (u / w, v / w), where (u, v, w) = H (x, y, 1). Angles are in degrees, clockwise.
"""

import math
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Homography = NDArray[np.float64]
"""3x3, from points of one picture to points of another; the same map at every scale of the matrix."""


def translation(x: float, y: float) -> Homography:
    """The shift by (x, y) pixels."""
    return np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]])


def similarity(scale: float = 1.0, rotation: float = 0.0, shift: tuple[float, float] = (0.0, 0.0)) -> Homography:
    """Rotation by degrees about (0, 0) and scaling, then a shift in pixels."""
    angle = np.deg2rad(rotation)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]], [0, 0, 1]])


def normalize(homography: Homography) -> Homography:
    """The same map with 1 as its last entry, which must not be 0."""
    return homography / homography[2, 2]


def compose(*homographies: Homography) -> Homography:
    """The product of the matrices: the last one is applied first."""
    return reduce(np.matmul, homographies)


def invert(homography: Homography) -> Homography:
    """The map back, not normalized.

    Raises:
        numpy.linalg.LinAlgError: there is none.
    """
    return np.asarray(np.linalg.inv(homography), np.float64)


def apply(homography: Homography, points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Map (N, 2) points. A point on the horizon goes to infinity."""
    mapped = points @ homography[:, :2].T + homography[:, 2]
    horizon = mapped[:, 2:] == 0
    return np.where(horizon, np.inf, mapped[:, :2] / np.where(horizon, 1, mapped[:, 2:]))


def jacobian(homography: Homography, point: NDArray[np.floating]) -> NDArray[np.float64]:
    """2x2 derivative at a point (2,): how a small step from it is mapped."""
    x, y, w = homography @ np.append(point, 1.0)
    top = homography[:2, :2] - np.outer([x / w, y / w], homography[2, :2])
    return top / w


def scale_and_rotation(matrix: NDArray[np.float64]) -> tuple[float, float]:
    """Scale, and rotation in (-180, 180] degrees, of a similarity (3x3) or of the map with a given Jacobian (2x2).

    Of other maps, the scale is the root of the change of area, and the rotation that of the nearest similarity.
    """
    scale = math.sqrt(abs(np.linalg.det(matrix[:2, :2])))
    return scale, math.degrees(math.atan2(matrix[1, 0] - matrix[0, 1], matrix[0, 0] + matrix[1, 1]))


def warp(image: NDArray[Any], to_image: Homography, size: tuple[int, int]) -> NDArray[Any]:
    """Resample an image, (H, W) or (H, W, 3) uint8, by Pillow's bicubic filter; zeros outside it.

    `to_image` maps points of the result to points of the image, and `size` is the result's (width, height) in pixels.
    """
    coefficients = tuple(normalize(to_image).ravel()[:8])
    source = Image.fromarray(np.ascontiguousarray(image))
    return np.asarray(source.transform(size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC))
