"""What two frames have in common."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ttsr.geometry import similarity, translation
from ttsr.images.picture import Picture
from ttsr.images.resize import downscale4
from ttsr.inference.references import Reference, ReferencePixels, ReferenceSource
from ttsr.inference.upscaler import Upscaler
from ttsr.registration.pose import PoseKeypoints
from ttsr.video.camera_motion import camera_motion, carried_matches, differ, distance, since


def noisy(frame: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    return (frame + np.random.default_rng(seed).normal(0, 4, frame.shape)).clip(0, 255).astype(np.uint8)


def test_another_picture_is_told_from_noise_and_movement(aloe: NDArray[np.uint8], leuven: NDArray[np.uint8]) -> None:
    here, moved = (downscale4(aloe[:240, left : left + 320]) for left in (0, 12))
    assert not differ(noisy(here, 0), noisy(here, 1)) and not differ(here, moved)
    assert differ(here, downscale4(leuven[:240, :320])) and differ(here, here[:-1])
    assert differ(here, (0.6 * here).astype(np.uint8))  # a fade
    assert not differ(here.astype(np.uint16) * 257, moved.astype(np.uint16) * 257)


def test_the_motion_is_that_of_the_window(aloe: NDArray[np.uint8], leuven: NDArray[np.uint8]) -> None:
    first, second = (downscale4(aloe[top : top + 160, left : left + 240]) for top, left in ((20, 30), (25, 41)))
    keypoints = [PoseKeypoints(noisy(frame, n), 4) for n, frame in enumerate((first, second))]
    motion = camera_motion(keypoints[1], keypoints[0])
    assert motion is not None
    assert distance(motion, translation(11, 5), (60, 40)) < 2.5
    assert camera_motion(keypoints[1], PoseKeypoints(downscale4(leuven[:160, :240]), 4)) is None
    enlarged = PoseKeypoints(first.repeat(2, 0).repeat(2, 1)[20:60, 30:90], 4)
    assert camera_motion(enlarged, keypoints[0]) is None  # no camera zooms so fast


def test_motions_are_told_apart() -> None:
    motion = translation(3, -1)
    assert distance(motion, np.eye(3), (10, 8)) == pytest.approx(10**0.5)
    assert distance(motion, motion, (10, 8)) == 0
    assert distance(similarity(1.1), np.eye(3), (10, 8)) > 2
    np.testing.assert_allclose(since(translation(5, 2), motion), translation(2, 3), atol=1e-12)


def test_matches_move_along_with_the_frame() -> None:
    """Of a frame that moves by one cell, over references of which the second is left out."""
    source = ReferenceSource("reference", None, (40, 32))
    pixels = ReferencePixels(np.zeros((32, 40, 3), np.uint8), source, to_source=translation(8, 4))
    whole = ReferencePixels(np.zeros((16, 20, 3), np.uint8), source)
    references = (Reference(pixels), Reference(whole))
    index = np.zeros((5, 6, 3), np.int32)
    index[..., 1], index[..., 2] = 4 + 4 * np.arange(5)[:, None], 8 + 4 * np.arange(6)
    index[2, 2] = 1, 4, 8
    found = carried_matches(index, translation(4, 0), references)
    # Cell (1, 1) lies where (1, 2) was, which was matched at row 8 and column 16 of the source.
    assert found[1, 1] == 1 * 10 + 2
    assert found[4, 4] == 4 * 10 + 5 and found[4, 5] == 4 * 10 + 5  # at the border the nearest
    assert found[2, 1] == 8 * 10 + 1 * 5 + 2


def test_matches_of_a_still_frame_are_its_own(aloe: NDArray[np.uint8], aloe_ref: NDArray[np.uint8]) -> None:
    upscaler = Upscaler(device="cpu", precision="fp32")
    picture = Picture(downscale4(aloe[:96, :128]))
    result = upscaler.upscale(picture, upscaler.encode_references(aloe_ref[:160, :200]))
    carried = carried_matches(result.index, np.eye(3), result.references)
    # Places are to the pixel, and matches in cells of 4x4.
    rows, columns = result.references[0].grid
    apart = np.abs(
        np.array(np.unravel_index(carried, (rows, columns))) - np.unravel_index(result.matches, (rows, columns))
    )
    assert np.quantile(apart, 0.9) <= 1
