"""Frames one after the other: when references are fitted again, and where matches begin."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ttsr.evaluation.protocols import PAPER_Y
from ttsr.images.picture import Picture
from ttsr.images.resize import downscale4
from ttsr.inference.references import Reference
from ttsr.inference.upscaler import Upscaler
from ttsr.video.frame_upscaler import FrameUpscaler

Pictures = list[NDArray[np.uint8]]


@pytest.fixture(scope="module")
def references(upscaler: Upscaler, aloe_ref: NDArray[np.uint8]) -> tuple[Reference, ...]:
    return upscaler.encode_references(aloe_ref[:120, :160])


def noisy(frame: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    return (frame + np.random.default_rng(seed).normal(0, 4, frame.shape)).clip(0, 255).astype(np.uint8)


def test_references_are_fitted_again_after_a_cut_alone(
    upscaler: Upscaler, references: tuple[Reference, ...], pictures: Pictures
) -> None:
    film = FrameUpscaler(upscaler, references, (128, 96))
    first, cut = pictures[0], 255 - pictures[0]
    fits = []
    for number, frame in enumerate([first, noisy(first, 1), cut, noisy(cut, 2), first]):
        film.upscale(frame, number)
        assert film.scene is not None
        fits.append((film.fits, film.scene.fitted_at))
    assert fits == [(1, 0), (1, 0), (2, 2), (2, 2), (3, 4)]


def test_a_frame_begins_with_the_matches_of_the_one_before_and_no_further_than_a_cut(
    upscaler: Upscaler,
    references: tuple[Reference, ...],
    pictures: Pictures,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starts: list[Any] = []
    upscale = upscaler.upscale

    def watched(*arguments: Any, **options: Any) -> Any:
        starts.append(options["start"])
        return upscale(*arguments, **options)

    monkeypatch.setattr(upscaler, "upscale", watched)
    film = FrameUpscaler(upscaler, references, (128, 96))
    before = film.upscale(pictures[0], 0)
    film.upscale(noisy(pictures[0], 1), 1)  # the camera stands still
    after = film.upscale(255 - pictures[0], 2)
    assert starts[0] is None and starts[2] is None
    np.testing.assert_array_equal(starts[1], before.matches)
    # After a cut a frame is what it is by itself.
    alone = upscale(Picture(255 - pictures[0]), references)
    np.testing.assert_array_equal(after.picture.rgb, alone.picture.rgb)


def test_sizes_up_to_four_times(upscaler: Upscaler, references: tuple[Reference, ...], pictures: Pictures) -> None:
    film = FrameUpscaler(upscaler, references, (70, 50))
    for number, frame in enumerate(pictures[:2]):
        assert film.upscale(frame, number).picture.size == (70, 50)


def test_without_references_and_with_those_of_a_frame(upscaler: Upscaler, pictures: Pictures) -> None:
    asked = []

    def more(number: int, rgb: NDArray[Any]) -> tuple[Reference, ...]:
        asked.append(number)
        return upscaler.encode_references(rgb.repeat(2, 0).repeat(2, 1))

    alone, helped = FrameUpscaler(upscaler, (), (128, 96)), FrameUpscaler(upscaler, (), (128, 96), more)
    assert alone.upscale(pictures[0], 3).own_reference
    assert not helped.upscale(pictures[0], 3).own_reference
    for film in (alone, helped):
        film.upscale(pictures[0], 4)
    assert asked == [3]


def test_references_move_along_with_the_camera(aloe: NDArray[np.uint8], aloe_ref: NDArray[np.uint8]) -> None:
    upscaler = Upscaler(device="cpu", precision="fp32")
    references = upscaler.encode_references(aloe_ref[:240, :360])
    film, resumed = (FrameUpscaler(upscaler, references, (160, 120)) for _ in range(2))
    truths = [aloe[top : top + 120, left : left + 160] for top, left in ((20, 30), (22, 36))]
    frames = [downscale4(truth) for truth in truths]
    film.upscale(frames[0], 0)
    first = film.references
    assert first[0].fit is not None and first[0].fit.use == "resampled"
    second = film.upscale(frames[1], 1)
    moved, scene = film.references, film.scene
    assert film.fits == 1 and moved is not first and scene is not None
    # The window has moved by so many pixels of the result.
    np.testing.assert_allclose(scene.motion[:2, 2], [6, 2], atol=2)
    stale = upscaler.upscale(Picture(frames[1]), first).picture.rgb
    assert PAPER_Y.psnr(truths[1], second.picture.rgb) > PAPER_Y.psnr(truths[1], stale) + 0.1
    third = film.upscale(frames[1], 2)
    assert film.references is moved  # the camera stands still
    # A run that goes on behind the second frame comes to the same.
    resumed.resume(scene)
    np.testing.assert_array_equal(resumed.upscale(frames[1], 2).picture.rgb, third.picture.rgb)
