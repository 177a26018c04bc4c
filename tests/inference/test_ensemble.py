"""Self-ensemble: the mean over mirror images."""

import numpy as np
import pytest
import torch

from ttsr.images.picture import Picture
from ttsr.inference.upscaler import Upscaler
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR


def upscaler(ensemble: bool) -> Upscaler:
    torch.manual_seed(2)
    config = TTSRConfig(4, (1, 0, 0, 0), (4, 4, 4), 0, 2, 6, bicubic_skip=True, refinement_radius=1)
    return Upscaler(TTSR(config), device="cpu", precision="fp32", match_colour="off", pose="off", ensemble=ensemble)


def picture(*size: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


@pytest.mark.parametrize("with_reference", [False, True])
def test_it_is_the_mean_of_four_passes(with_reference):
    plain, lr, ref, base = upscaler(False), picture(11, 9), picture(32, 24, seed=2), picture(44, 36, seed=3)

    def one(axes: tuple[int, ...]) -> np.ndarray:
        references = plain.encode_references(np.flip(ref, axes)) if with_reference else ()
        below = np.flip(base, axes) if with_reference else None
        return np.flip(plain.upscale(np.flip(lr, axes), references, base=below).picture.rgb, axes).astype(float)

    expected = np.mean([one(axes) for axes in ((), (0,), (1,), (0, 1))], 0)
    whole = upscaler(True)
    references = whole.encode_references(ref) if with_reference else ()
    result = whole.upscale(lr, references, base=base if with_reference else None)
    assert np.abs(result.picture.rgb - expected).max() <= 0.5
    assert not np.array_equal(result.picture.rgb, one(()))


def test_a_mirrored_picture_gives_the_mirrored_result():
    whole, lr = upscaler(True), picture(10, 12)
    result, mirrored = (whole.upscale(rgb, ()).picture.rgb.astype(int) for rgb in (lr, np.flip(lr, 1)))
    assert np.abs(result - np.flip(mirrored, 1)).max() <= 1


def test_the_plan_has_four_passes():
    lr = Picture(picture(20, 16))
    one, four = upscaler(False).plan(lr, ()), upscaler(True).plan(lr, ())
    assert four.seconds == pytest.approx(sum(four.stages.values()))
    assert set(four.stages) == set(one.stages) and four.memory_bytes >= one.memory_bytes


def test_sixteen_bits_stay():
    lr = picture(8, 8).astype(np.uint16) * 257
    result = upscaler(True).upscale(lr, ())
    assert result.picture.rgb.dtype == np.uint16 and (result.picture.rgb % 257).any()
