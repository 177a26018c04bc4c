"""References as a network sees them once they are fitted."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ttsr.data.crops import Pixels8
from ttsr.data.fitted_views import fitted_views
from ttsr.data.pair_options import PhotosOptions, Warp
from ttsr.data.sample import Pair
from ttsr.data.views import window_side
from ttsr.geometry import normalize, warp
from ttsr.images.resize import downscale4

STILL = Warp(rotation=0, scale=0, shift=0, perspective=0, gain=0, gamma=0, offset=0)
OPTIONS = PhotosOptions(hr_size=48, ref_size=48, fitted_warp=STILL)


def window(seed: int) -> Pixels8:
    """Fine and coarse shapes."""
    rng, side, layers = np.random.default_rng(seed), window_side(48, 48), []
    for size in (2, 8):
        noise = rng.integers(0, 256, (side // size, side // size, 3), dtype=np.uint8)
        layers.append(np.asarray(Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC)).astype(float))
    return ((layers[0] + layers[1]) / 2).astype(np.uint8)


def at_scale(scale: float, seed: int = 0, options: PhotosOptions = OPTIONS) -> Pair:
    return fitted_views(window(seed), replace(options, reference_scale=(scale, scale)), np.random.default_rng(seed))


def difference(pair: Pair) -> float:
    assert pair.ref is not None
    return float(np.abs(pair.ref.astype(int) - pair.hr).mean())


def contrast(image: Pixels8) -> float:
    """Of neighbouring pixels: what a blur takes away."""
    return float(np.abs(np.diff(image.astype(int), axis=1)).mean())


@pytest.mark.parametrize("scale", [1.0, 1.7, 2.5])
def test_a_reference_that_shows_it_larger_is_as_sharp_and_in_its_place(scale):
    pair = at_scale(scale)
    assert difference(pair) == 0 and pair.to_ref is not None
    np.testing.assert_allclose(normalize(pair.to_ref), np.eye(3), atol=1e-9)


def test_one_that_shows_it_smaller_is_in_its_place_and_the_more_blurred_the_smaller():
    for seed in range(5):
        contrasts, differences = [], []
        for scale in (1.0, 0.8, 0.6, 0.4):
            pair = at_scale(scale, seed)
            assert pair.ref is not None and pair.ref.shape == (48, 48, 3)
            contrasts.append(contrast(pair.ref))
            differences.append(difference(pair))
            # What the LR keeps is there at any scale; a pixel of shift would show.
            left = np.abs(downscale4(pair.ref).astype(int) - downscale4(pair.hr)).mean()
            shifted = np.abs(downscale4(np.roll(pair.ref, 1, 1)).astype(int) - downscale4(pair.hr)).mean()
            assert left < 0.5 * shifted
        assert contrasts == sorted(contrasts, reverse=True) and contrasts[-1] < 0.6 * contrasts[0]
        assert differences == sorted(differences)


@pytest.mark.parametrize("scale", [0.6, 1.5])
def test_the_homography_leads_to_the_same_place_whatever_error_is_left(scale):
    options = replace(OPTIONS, fitted_warp=Warp(10, 0.1, 0.2, 0.05, 0, 0, 0))
    for seed in range(5):
        pair = at_scale(scale, seed, options)
        assert pair.ref is not None and pair.to_ref is not None
        back = warp(pair.ref, pair.to_ref, (48, 48)).astype(int)
        inside = warp(np.full_like(pair.ref, 255), pair.to_ref, (48, 48)).min(-1) == 255
        error, elsewhere = (np.abs(image - pair.hr)[inside].mean() for image in (back, np.roll(back, 4, 0)))
        assert inside.mean() > 0.3 and error < 0.7 * elsewhere


def test_degradations_and_colours_are_those_of_the_reference():
    assert difference(at_scale(1.5, options=replace(OPTIONS, fitted_warp=replace(STILL, offset=30.0)))) > 2
    assert difference(at_scale(1.5, options=replace(OPTIONS, jpeg=1.0))) > 1
