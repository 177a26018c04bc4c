import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ttsr.geometry import apply, invert, similarity, warp
from ttsr.registration import Registration, find_keypoints, match_descriptors, register
from ttsr.registration.estimate import MIN_INLIERS
from ttsr.registration.keypoints import MAX_KEYPOINTS, Keypoints

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def of_aloe(aloe: Pixels) -> Keypoints:
    return find_keypoints(aloe)


def registered(first: Pixels | Keypoints, second: Pixels | Keypoints) -> Registration | None:
    first, second = (one if isinstance(one, Keypoints) else find_keypoints(one) for one in (first, second))
    return register(first, second)


@pytest.mark.parametrize(
    ("homography", "size"),
    [
        (similarity(shift=(-60, 25)), (420, 340)),
        (similarity(0.8, 35, (200, -30)), (480, 420)),
        (similarity(1.3, -90, (0, 620)), (420, 620)),
        (np.array([[0.9, 0.05, 10], [-0.04, 1.0, 20], [2e-4, -1e-4, 1]]), (480, 340)),
        (similarity(2.2, 0, (-200, -150)), (800, 500)),
    ],
)
def test_a_known_change_of_view_is_found(
    aloe: Pixels, of_aloe: Keypoints, homography: NDArray[np.float64], size: tuple[int, int]
) -> None:
    registration = registered(of_aloe, warp(aloe, invert(homography), size))
    assert registration is not None
    corners = np.array([[150.0, 100], [300, 120], [180, 220], [240, 160]])
    assert np.abs(apply(registration.homography, corners) - apply(homography, corners)).max() < 1.5
    assert len(registration.points) > 2 * MIN_INLIERS
    assert np.abs(apply(homography, registration.points) - registration.matched_points).max() < 8


def test_an_inverse_goes_back(of_aloe: Keypoints, aloe_ref: Pixels) -> None:
    registration = registered(of_aloe, aloe_ref)
    assert registration is not None
    there = apply(registration.homography, registration.points)
    assert np.allclose(apply(registration.inverse().homography, there), registration.points)
    assert np.array_equal(registration.inverse().points, registration.matched_points)


def test_other_things_do_not_match(of_aloe: Keypoints, leuven: Pixels) -> None:
    of_leuven = find_keypoints(leuven)
    assert registered(of_aloe, of_leuven) is None
    assert registered(of_leuven, of_aloe) is None


def test_a_mirror_image_does_not_match(aloe: Pixels, of_aloe: Keypoints) -> None:
    assert registered(of_aloe, np.ascontiguousarray(aloe[:, ::-1])) is None


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (200, 200)])
def test_a_flat_photo_has_no_keypoints_and_no_match(of_aloe: Keypoints, size: tuple[int, int]) -> None:
    flat = np.full((*size, 3), 90, np.uint8)
    assert len(find_keypoints(flat)) == 0
    assert registered(flat, of_aloe) is None
    assert registered(of_aloe, flat) is None


def test_keypoints_are_in_pixels_of_the_photo_though_found_in_a_copy(aloe: Pixels, of_aloe: Keypoints) -> None:
    large = np.asarray(Image.fromarray(aloe).resize((1440, 960), Image.Resampling.BICUBIC))
    keypoints = find_keypoints(large)
    assert keypoints.size == (1440, 960)
    assert 100 < len(keypoints) <= MAX_KEYPOINTS
    assert np.all(np.diff(keypoints.records["scale"]) <= 0)
    registration = registered(of_aloe, keypoints)
    assert registration is not None
    mapped = apply(registration.homography, np.array([[100.0, 100], [400, 250]]))
    assert np.abs(mapped - [[300, 300], [1200, 750]]).max() < 2


def test_descriptors_match_by_ratio_and_both_ways() -> None:
    first = np.eye(4, dtype=np.float32)
    # 0 has one near partner; 1 has two that are as near; 2 and 3 share the nearest, which is nearer to 3.
    near, nearer = np.array([0.2, 0.9797959]), np.array([0.95, 0.3122499])
    second = np.zeros((4, 4), np.float32)
    second[0, 0] = 1
    second[1, 1], second[1, 0] = near[1], near[0]
    second[2, 1], second[2, 2] = near[1], near[0]
    second[3, 3], second[3, 2] = nearer[0], nearer[1]
    rows, columns = match_descriptors(first, second)
    assert list(zip(rows, columns, strict=True)) == [(0, 0), (3, 3)]
