"""Results of other sizes than four times the picture's."""

import numpy as np
import pytest
from PIL import Image

from ttsr.errors import UserError
from ttsr.images.picture import from_array
from ttsr.inference.sizes import plan_to, upscale_to
from ttsr.inference.upscaler import Upscaler
from ttsr.models.ttsr import TTSR
from ttsr.progress import Cancelled, Progress


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def resized(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


@pytest.fixture
def upscaler(tiny_model: TTSR) -> Upscaler:
    return Upscaler(tiny_model, device="cpu")


@pytest.mark.parametrize("size", [(18, 12), (27, 18), (36, 24), (5, 24), (1, 1)])
def test_up_to_four_times_one_pass_is_resized(upscaler: Upscaler, size: tuple[int, int]) -> None:
    lr, references = noise(6, 9, 3), upscaler.encode_references(noise(16, 16, 3, seed=1))
    whole = upscaler.upscale(lr, references)
    result = upscale_to(upscaler, lr, size, references)
    np.testing.assert_array_equal(result.picture.rgb, resized(whole.picture.rgb, size))
    np.testing.assert_array_equal(result.index, whole.index)


@pytest.mark.parametrize("size", [(72, 48), (37, 24), (140, 90)])
def test_beyond_two_passes_with_the_references(upscaler: Upscaler, size: tuple[int, int]) -> None:
    lr, references = noise(6, 9, 3), upscaler.encode_references(noise(16, 16, 3, seed=1))
    first = upscaler.upscale(lr, references)
    between = resized(first.picture.rgb, ((size[0] + 3) // 4, (size[1] + 3) // 4))
    expected = resized(upscaler.upscale(between, references).picture.rgb, size)
    result = upscale_to(upscaler, lr, size, references)
    np.testing.assert_array_equal(result.picture.rgb, expected)
    for of_the_first in ("relevance", "confidence", "index"):
        np.testing.assert_array_equal(getattr(result, of_the_first), getattr(first, of_the_first))
    assert result.references == first.references


def test_transparency_and_bits_stay(upscaler: Upscaler) -> None:
    pixels = noise(6, 9, 4).astype(np.uint16) * 257
    for size in ((27, 18), (72, 48)):
        picture = upscale_to(upscaler, pixels, size).picture
        assert picture.size == size and picture.bit_depth == 16
        assert picture.alpha is not None and picture.alpha.shape == size[::-1]


def test_the_plan_is_that_of_both_passes(upscaler: Upscaler) -> None:
    picture = from_array(noise(6, 9, 4))
    references = upscaler.encode_references(noise(16, 16, 3, seed=1))
    first = upscaler.plan(picture, references)
    second = upscaler.plan(from_array(noise(12, 18, 4)), references)
    assert plan_to(upscaler, picture, (27, 18), references).seconds == first.seconds
    both = plan_to(upscaler, picture, (72, 48), references)
    assert both.seconds == first.seconds + second.seconds
    assert both.memory_bytes == pytest.approx(max(first.memory_bytes, second.memory_bytes), rel=0.2)
    assert upscale_to(upscaler, picture, (72, 48), references, plan=both).plan == both


def test_progress_covers_both_passes_and_cancels(upscaler: Upscaler) -> None:
    fractions: list[float] = []
    upscale_to(upscaler, noise(6, 9, 3), (72, 48), progress=Progress(lambda fraction, _: fractions.append(fraction)))
    assert fractions == sorted(fractions)
    assert fractions[0] < 0.3 and fractions[-1] == pytest.approx(1)
    progress = Progress(lambda fraction, _: progress.cancel() if fraction > 0.15 else None)
    with pytest.raises(Cancelled):
        upscale_to(upscaler, noise(6, 9, 3), (72, 48), progress=progress)


@pytest.mark.parametrize("size", [(145, 96), (0, 4), (4, -1)])
def test_sizes_that_cannot_be_made(upscaler: Upscaler, size: tuple[int, int]) -> None:
    picture = from_array(noise(6, 9, 3))
    for call in (upscale_to, plan_to):
        with pytest.raises(UserError, match=f"{size[0]}x{size[1]} cannot be made of 9x6"):
            call(upscaler, picture, size)
