import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ttsr.geometry import apply, compose, invert, similarity, translation, warp
from ttsr.images.resize import downscale4, resize_bicubic
from ttsr.registration.pose import Pose, PoseKeypoints, estimate_pose, fit_similarity

Pixels = NDArray[np.uint8]


def estimated(hr: Pixels, reference: Pixels, *, mirrored: bool = False) -> Pose | None:
    return estimate_pose(PoseKeypoints(downscale4(hr), 4), PoseKeypoints(reference), mirrored=mirrored)


@pytest.mark.parametrize(
    ("scale", "rotation"), [(1.0, 90.0), (1.0, 180.0), (0.5, 0.0), (2.0, -30.0), (3.0, 0.0), (0.34, 20.0)]
)
def test_scale_and_rotation_are_found(leuven: Pixels, scale: float, rotation: float) -> None:
    height, width = leuven.shape[:2]
    to_reference = similarity(scale, rotation)
    corners = apply(to_reference, np.array([[0.0, 0], [width, 0], [0, height], [width, height]]))
    to_reference = compose(translation(*-corners.min(0)), to_reference)
    size = tuple(np.ceil(np.ptp(corners, 0)).astype(int).tolist())
    small = resize_bicubic(leuven, round(width * min(1, scale)), round(height * min(1, scale)))
    shrink = np.diag([small.shape[1] / width, small.shape[0] / height, 1.0])
    reference = warp(small, compose(shrink, invert(to_reference)), size)
    pose = estimated(leuven, reference)
    assert pose is not None and not pose.mirrored and pose.size == (width, height)
    assert pose.scale == pytest.approx(scale, rel=0.02)
    assert (pose.rotation - rotation + 180) % 360 - 180 == pytest.approx(0, abs=1)
    points = np.array([[100.0, 80], [300, 100], [200, 250]])
    # To a pixel of the enlarged LR, whose pixels are a quarter of those that were given.
    assert np.abs(apply(pose.to_reference, points) - apply(to_reference, points)).max() < 1.5 * max(1, scale)


def test_mirror_images_by_choice(aloe: Pixels, leuven: Pixels) -> None:
    part = aloe[:240, :320]
    assert estimated(part, np.ascontiguousarray(part[:, ::-1])) is None
    mirrored = np.ascontiguousarray(leuven[:, ::-1])
    pose = estimated(leuven, mirrored, mirrored=True)
    assert pose is not None and pose.mirrored
    assert pose.rotation == pytest.approx(0, abs=1) and pose.scale == pytest.approx(1, rel=0.02)
    point = np.array([[100.0, 80]])
    assert np.abs(apply(pose.to_reference, point) - [[leuven.shape[1] - 100, 80]]).max() < 1.5
    rotated = np.asarray(Image.fromarray(mirrored).rotate(-40, Image.Resampling.BICUBIC, expand=True))
    both = estimated(leuven, rotated, mirrored=True)
    assert both is not None and both.mirrored and both.rotation == pytest.approx(40, abs=1)
    upright = estimated(leuven, leuven, mirrored=True)
    assert upright is not None and not upright.mirrored


def test_other_things_have_no_pose(aloe: Pixels, leuven: Pixels) -> None:
    other = leuven[:240, :320]
    assert estimated(aloe[:240, :320], other, mirrored=True) is None
    assert estimated(np.full((64, 64, 3), 9, np.uint8), other) is None
    assert estimated(other[:4, :4], other) is None


def test_16_bits_have_the_keypoints_of_8(leuven: Pixels) -> None:
    deep = PoseKeypoints(leuven.astype(np.uint16) * 257).at(640)
    np.testing.assert_array_equal(deep.records, PoseKeypoints(leuven).at(640).records)


def test_keypoints_are_found_once(leuven: Pixels) -> None:
    keypoints = PoseKeypoints(leuven[:, :320])
    # No copy is more than twice as large as the photo.
    assert keypoints.at(640) is keypoints.at(1280)
    assert keypoints.at(640) is not keypoints.at(640, mirrored=True)


def test_a_similarity_from_noisy_points() -> None:
    rng = np.random.default_rng(0)
    points, true = rng.uniform(0, 100, (200, 2)), similarity(1.7, 40, (5, -9))
    found = fit_similarity(points, apply(true, points) + rng.normal(0, 0.1, (200, 2)))
    np.testing.assert_allclose(found, true, atol=0.1)
    np.testing.assert_allclose(fit_similarity(points, apply(true, points)), true, atol=1e-9)
