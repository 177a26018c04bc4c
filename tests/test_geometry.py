"""Homographies and similarities."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ttsr.geometry import (
    Homography,
    apply,
    compose,
    invert,
    jacobian,
    normalize,
    scale_and_rotation,
    similarity,
    translation,
    warp,
)

POINTS = arrays(np.float64, (5, 2), elements=st.floats(0, 500))
SHIFTS = st.tuples(st.floats(-300, 300), st.floats(-300, 300))


@st.composite
def homographies(draw: st.DrawFn) -> Homography:
    """Views of a picture of up to 500 pixels, whose horizon is far from it."""
    tilt = draw(st.tuples(st.floats(-4e-4, 4e-4), st.floats(-4e-4, 4e-4)))
    perspective = np.array([[1.0, 0, 0], [0, 1, 0], [*tilt, 1]])
    move = similarity(draw(st.floats(0.2, 5)), draw(st.floats(-180, 180)), draw(SHIFTS))
    return move @ perspective * draw(st.floats(0.1, 10))


@given(homographies(), POINTS)
def test_the_inverse_maps_back(homography: Homography, points: NDArray[np.float64]) -> None:
    np.testing.assert_allclose(apply(invert(homography), apply(homography, points)), points, atol=1e-6)


@given(homographies(), homographies(), POINTS)
def test_composed_maps_are_applied_from_the_last(
    outer: Homography, inner: Homography, points: NDArray[np.float64]
) -> None:
    product = compose(outer, inner)
    depth = points @ product[2, :2] + product[2, 2]
    usable = np.abs(depth) > 0.05 * abs(inner[2, 2] * outer[2, 2])  # not near the horizon of the whole
    expected = apply(outer, apply(inner, points))
    np.testing.assert_allclose(apply(product, points)[usable], expected[usable], rtol=1e-6, atol=1e-6)


@given(homographies(), POINTS)
def test_the_scale_of_the_matrix_does_not_matter(homography: Homography, points: NDArray[np.float64]) -> None:
    normalized = normalize(homography)
    assert normalized[2, 2] == 1
    np.testing.assert_allclose(apply(normalized, points), apply(homography, points), rtol=1e-9, atol=1e-9)


@given(homographies(), arrays(np.float64, 2, elements=st.floats(0, 500)))
def test_the_jacobian_is_the_derivative(homography: Homography, point: NDArray[np.float64]) -> None:
    step = 1e-3
    differences = apply(homography, point + step * np.eye(2)) - apply(homography, point - step * np.eye(2))
    np.testing.assert_allclose(jacobian(homography, point), differences.T / (2 * step), rtol=1e-4, atol=1e-4)


@given(st.floats(0.05, 20), st.floats(-179.9, 180), SHIFTS, POINTS)
def test_a_similarity_keeps_shapes_and_tells_its_scale_and_rotation(
    scale: float, rotation: float, shift: tuple[float, float], points: NDArray[np.float64]
) -> None:
    matrix = similarity(scale, rotation, shift)
    mapped = apply(matrix, points)
    before, after = (np.linalg.norm(values - np.roll(values, 1, 0), axis=1) for values in (points, mapped))
    np.testing.assert_allclose(after, scale * before, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(apply(matrix, np.zeros((1, 2))), [shift])
    for linear in (matrix, jacobian(matrix, points[0])):
        assert scale_and_rotation(linear) == pytest.approx((scale, rotation), rel=1e-6, abs=1e-6)


def test_a_rotation_is_clockwise_as_seen() -> None:
    """The y axis points down."""
    np.testing.assert_allclose(apply(similarity(rotation=90), np.array([[1.0, 0]])), [[0, 1]], atol=1e-12)


def test_the_horizon_is_at_infinity() -> None:
    homography = np.array([[1.0, 0, 0], [0, 1, 0], [-0.01, 0, 1]])
    assert np.isinf(apply(homography, np.array([[100.0, 5.0]]))).all()


@given(st.integers(-9, 9), st.integers(-9, 9), st.booleans())
def test_warp_by_a_whole_shift_moves_pixels(x: int, y: int, gray: bool) -> None:
    image = np.random.default_rng(0).integers(1, 256, (20, 24) if gray else (20, 24, 3), np.uint8)
    shifted = warp(image, translation(x, y), (24, 20))
    padded = np.pad(image, [(9, 9), (9, 9)] + [(0, 0)] * (image.ndim - 2))
    assert np.array_equal(shifted, padded[9 + y : 29 + y, 9 + x : 33 + x])


def test_warp_follows_the_convention_of_coordinates() -> None:
    """About the corner of the first pixel, by an exact quarter and by twice the scale."""
    image = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
    quarter = np.array([[0.0, 1, 0], [-1, 0, 20], [0, 0, 1]])
    assert np.array_equal(warp(image, quarter, (20, 24)), np.rot90(image, -1))
    blocks = np.repeat(np.repeat(np.arange(0, 250, 50, dtype=np.uint8), 8)[None], 40, 0)
    doubled = warp(blocks, similarity(0.5), (80, 80))
    assert (doubled.shape, doubled[40, 8], doubled[40, 40]) == ((80, 80), 0, 100)
