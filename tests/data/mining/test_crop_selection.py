import numpy as np
import pytest
from numpy.typing import NDArray

from ttsr.data.crops import MIN_DETAIL, detail
from ttsr.data.mining.crop_selection import Box, CropRejected, crop_box, locate_reference, select_crops
from ttsr.data.mining.mining_options import MiningOptions
from ttsr.geometry import apply, compose, similarity, translation
from ttsr.registration import Registration

SIZE = 64
SHAPE = (300, 400)


def registration(homography: NDArray[np.float64], shift: tuple[float, float] = (0, 0)) -> Registration:
    """Inliers on a grid all over a photo of `SHAPE`; `shift` is what they say beyond the homography."""
    x, y = np.meshgrid(np.arange(5, SHAPE[1], 15.0), np.arange(5, SHAPE[0], 15.0))
    points = np.stack([x, y], axis=-1).reshape(-1, 2)
    return Registration(homography, points, apply(homography, points) + shift)


def test_the_reference_crop_lies_where_the_registration_says() -> None:
    crop = locate_reference(Box(100, 80, SIZE, SIZE), SHAPE, SHAPE, registration(translation(30, -20)))
    assert (crop.ref_box, crop.overlap) == (Box(130, 60, SIZE, SIZE), 1)
    assert (crop.scale, crop.rotation) == (pytest.approx(1), pytest.approx(0))


def test_the_inliers_around_correct_the_homography() -> None:
    crop = locate_reference(Box(100, 80, SIZE, SIZE), SHAPE, SHAPE, registration(translation(30, -20), shift=(5, 7)))
    assert crop.ref_box == Box(135, 67, SIZE, SIZE)


def test_the_reference_crop_is_clipped_to_the_photo_and_the_overlap_says_so() -> None:
    crop = locate_reference(Box(0, 100, SIZE, SIZE), SHAPE, SHAPE, registration(translation(-16, 0)))
    assert (crop.ref_box, crop.overlap) == (Box(0, 100, SIZE, SIZE), 0.75)


def test_a_finer_reference_is_cropped_as_it_is_or_shrunk_to_the_inputs_scale() -> None:
    box = Box(50, 40, SIZE, SIZE)
    little = locate_reference(box, SHAPE, (600, 800), registration(similarity(1.2)))
    assert little.ref_box.width == SIZE
    assert little.overlap == pytest.approx(1 / 1.2**2, abs=0.05)
    much = locate_reference(box, SHAPE, (600, 800), registration(similarity(1.5)))
    assert (much.ref_box, much.overlap) == (Box(75, 60, 96, 96), 1)
    assert crop_box(np.zeros((600, 800, 3), np.uint8), much.ref_box, SIZE).shape == (SIZE, SIZE, 3)


def test_a_coarser_reference_is_cropped_as_it_is_down_to_a_half() -> None:
    box = Box(100, 100, SIZE, SIZE)
    crop = locate_reference(box, SHAPE, SHAPE, registration(similarity(0.6)))
    assert (crop.ref_box.width, crop.overlap) == (SIZE, 1)
    with pytest.raises(CropRejected, match="too coarse"):
        locate_reference(box, SHAPE, SHAPE, registration(similarity(0.45)))


def test_a_rotation_is_measured_and_costs_the_corners() -> None:
    # About the crop's centre, (132, 112), by 45 degrees.
    rotation = compose(translation(132, 112), similarity(rotation=45), translation(-132, -112))
    crop = locate_reference(Box(100, 80, SIZE, SIZE), SHAPE, SHAPE, registration(rotation))
    assert crop.rotation == pytest.approx(45)
    assert crop.overlap == pytest.approx(2 * (np.sqrt(2) - 1), abs=0.01)  # a square and itself rotated share an octagon


def test_a_position_outside_the_reference_is_rejected() -> None:
    with pytest.raises(CropRejected, match="ends there"):
        locate_reference(Box(0, 0, SIZE, SIZE), SHAPE, SHAPE, registration(translation(-50, 0)))
    with pytest.raises(CropRejected, match="ends there"):
        locate_reference(Box(100, 80, SIZE, SIZE), SHAPE, (90, 90), registration(similarity(1.5, shift=(-70, -70))))


def test_a_position_without_matching_points_around_it_is_rejected() -> None:
    everywhere = registration(translation(0, 0))
    corner = np.flatnonzero(everywhere.points.max(axis=1) < 60)
    there = Registration(everywhere.homography, everywhere.points[corner], everywhere.matched_points[corner])
    assert locate_reference(Box(0, 0, SIZE, SIZE), SHAPE, SHAPE, there).overlap == 1
    with pytest.raises(CropRejected, match="too few"):
        locate_reference(Box(300, 200, SIZE, SIZE), SHAPE, SHAPE, there)


def test_crops_are_apart_detailed_and_the_same_for_the_same_seed() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), np.uint8)
    photo[:, 200:] = 128

    def draw(seed: int, min_overlap: float = 0.5) -> tuple[list[Box], dict[str, int]]:
        rng = np.random.default_rng(seed)
        options = MiningOptions(size=SIZE, min_overlap=min_overlap)
        crops, rejected = select_crops(photo, photo, registration(translation(0, 0)), options, 6, rng)
        return [crop.box for crop in crops], dict(rejected)

    boxes, rejected = draw(0)
    assert draw(0) == (boxes, rejected)
    assert draw(1) != (boxes, rejected)
    assert len(boxes) == 6
    assert rejected.keys() == {"too little detail"}
    for number, box in enumerate(boxes):
        assert detail(crop_box(photo, box, SIZE)) >= MIN_DETAIL
        for other in boxes[:number]:
            assert np.abs(box.centre - other.centre).max() >= 0.6 * SIZE


def test_least_overlap_is_kept() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), np.uint8)
    ref_photo = photo[:, 150:]
    overlaps: dict[float, float] = {}
    for least in (0.3, 1.0):
        rng = np.random.default_rng(0)
        options = MiningOptions(size=SIZE, min_overlap=least)
        crops, rejected = select_crops(photo, ref_photo, registration(translation(-150, 0)), options, 20, rng)
        overlaps[least] = min(crop.overlap for crop in crops)
        assert rejected["the reference ends there"] > 0
    assert 0.3 <= overlaps[0.3] < 1 == overlaps[1.0]
    assert rejected["too little overlap"] > 0
