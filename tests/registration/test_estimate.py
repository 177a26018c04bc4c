import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ttsr.registration.estimate import MIN_INLIERS, View, find_view, jacobian, match_descriptors, project, root_sift
from ttsr.registration.keypoints import MAX_POINTS, find_features

Pixels = NDArray[np.uint8]


def view_of(first: Pixels, second: Pixels) -> View | None:
    features = [find_features(photo) for photo in (first, second)]
    roots = [root_sift(one.key_points["descriptor"]) for one in features]
    return find_view(features[0], features[1], match_descriptors(roots[0], roots[1]))


def warped(photo: Pixels, homography: NDArray[np.float64], size: tuple[int, int]) -> Pixels:
    """`photo` as a camera sees it that puts its pixel p at homography(p). Pillow asks for the way back."""
    back = np.linalg.inv(homography)
    coefficients = tuple((back / back[2, 2]).ravel()[:8])
    image = Image.fromarray(photo)
    return np.asarray(image.transform(size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC))


def turned(degrees: float, scale: float, shift: tuple[float, float]) -> NDArray[np.float64]:
    cosine, sine = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.array([[cosine, -sine, shift[0]], [sine, cosine, shift[1]], [0, 0, 1]])


@pytest.mark.parametrize(
    ("homography", "size"),
    [
        (turned(0, 1, (-60, 25)), (420, 340)),
        (turned(35, 0.8, (200, -30)), (480, 420)),
        (turned(-90, 1.3, (0, 620)), (420, 620)),
        (np.array([[0.9, 0.05, 10], [-0.04, 1.0, 20], [2e-4, -1e-4, 1]]), (480, 340)),
        (turned(0, 2.2, (-200, -150)), (800, 500)),
    ],
)
def test_a_known_change_of_view_is_found(aloe: Pixels, homography: NDArray[np.float64], size: tuple[int, int]) -> None:
    view = view_of(aloe, warped(aloe, homography, size))
    assert view is not None
    places = np.array([[150.0, 100], [300, 120], [180, 220], [240, 160]])
    assert np.abs(project(view.homography, places) - project(homography, places)).max() < 1.5
    assert len(view.points) > 2 * MIN_INLIERS
    assert np.abs(project(homography, view.points) - view.seen).max() < 8


def test_an_inverse_goes_back(aloe: Pixels, aloe_ref: Pixels) -> None:
    view = view_of(aloe, aloe_ref)
    assert view is not None
    there = project(view.homography, view.points)
    assert np.allclose(project(view.inverse().homography, there), view.points)
    assert np.array_equal(view.inverse().points, view.seen)


def test_other_things_do_not_match(aloe: Pixels, leuven: Pixels) -> None:
    assert view_of(aloe, leuven) is None
    assert view_of(leuven, aloe) is None


def test_a_mirror_image_does_not_match(aloe: Pixels) -> None:
    assert view_of(aloe, np.ascontiguousarray(aloe[:, ::-1])) is None


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (200, 200)])
def test_a_flat_photo_has_no_features_and_no_match(aloe: Pixels, size: tuple[int, int]) -> None:
    flat = np.full((*size, 3), 90, np.uint8)
    assert len(find_features(flat).key_points) == 0
    assert view_of(flat, aloe) is None
    assert view_of(aloe, flat) is None


def test_features_are_those_of_the_photo_though_found_in_a_copy(aloe: Pixels) -> None:
    large = np.asarray(Image.fromarray(aloe).resize((1440, 960), Image.Resampling.BICUBIC))
    features = find_features(large)
    assert features.size == (1440, 960)
    assert 100 < len(features.key_points) <= MAX_POINTS
    assert np.all(np.diff(features.key_points["scale"]) <= 0)
    view = view_of(aloe, large)
    assert view is not None
    assert np.abs(project(view.homography, np.array([[100.0, 100], [400, 250]])) - [[300, 300], [1200, 750]]).max() < 2


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


def test_the_jacobian_is_a_small_step(aloe: Pixels) -> None:
    homography = np.array([[0.9, 0.05, 10], [-0.04, 1.1, 20], [2e-4, -1e-4, 1]])
    place, step = np.array([200.0, 100.0]), 1e-4
    moved = project(homography, place + step * np.eye(2)) - project(homography, place[None])
    assert np.allclose(jacobian(homography, place), moved.T / step, atol=1e-5)


def test_the_horizon_is_infinitely_far() -> None:
    homography = np.array([[1.0, 0, 0], [0, 1, 0], [-0.01, 0, 1]])
    assert np.isinf(project(homography, np.array([[100.0, 5.0]]))).all()
