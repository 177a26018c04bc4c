"""Matches that serve as the start of the next frame's search, and references fitted once for several frames."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ttsr.errors import ImageError
from ttsr.images.picture import Picture
from ttsr.images.resize import resize_bicubic
from ttsr.inference.upscaler import Upscaler
from ttsr.models.ttsr import TTSR


@pytest.fixture
def upscaler(tiny_model: TTSR) -> Upscaler:
    return Upscaler(tiny_model, device="cpu", precision="fp32", search="coherent")


def noise(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_start_is_taken_where_it_fits_better(tiny_model: TTSR, upscaler: Upscaler) -> None:
    lr = Picture(noise(0, 30, 36))
    references = upscaler.encode_references([noise(1, 160, 180), noise(2, 140, 120)])
    best = Upscaler(tiny_model, device="cpu", precision="fp32", search="exact").upscale(lr, references)
    without, started = upscaler.upscale(lr, references), upscaler.upscale(lr, references, start=best.matches)
    assert (without.relevance < best.relevance - 1e-4).any()
    np.testing.assert_allclose(started.relevance, best.relevance, atol=1e-5)
    # A start of anything else loses nothing.
    wrong = np.zeros_like(best.matches)
    assert upscaler.upscale(lr, references, start=wrong).relevance.mean() >= without.relevance.mean() - 1e-5


def test_a_start_of_other_references_is_refused(upscaler: Upscaler) -> None:
    lr = Picture(noise(0, 10, 12))
    small, large = upscaler.encode_references(noise(1, 16, 16)), upscaler.encode_references(noise(1, 80, 80))
    start = np.full((10, 12), 399)
    assert upscaler.upscale(lr, large, start=start).matches.max() < 400
    for matches, references in ((start, small), (start[:, :-1], large), (start - 400, large)):
        with pytest.raises(ImageError, match=r"^start: is not of a picture of this size"):
            upscaler.upscale(lr, references, start=matches)


def test_fitted_references_are_kept_for_further_pictures(aloe: NDArray[np.uint8], aloe_ref: NDArray[np.uint8]) -> None:
    upscaler = Upscaler(device="cpu", precision="fp32")
    frames = [resize_bicubic(aloe[top : top + 192, :192], 48, 48) for top in (0, 4)]
    fitted = upscaler.fit_references(Picture(frames[0]), upscaler.encode_references(aloe_ref))
    assert fitted[0].fit is not None and fitted[0].fit.use == "resampled"
    before = upscaler.upscale(Picture(frames[1]), fitted)
    costs = upscaler.plan(Picture(frames[1]), fitted).stages
    upscaler.keep(fitted)
    after = upscaler.upscale(Picture(frames[1]), fitted)
    assert after.references == fitted  # not fitted again, for the size is the same
    assert upscaler.plan(Picture(frames[1]), fitted).stages["references"] == 0 < costs["references"]
    assert np.abs(after.picture.rgb.astype(int) - before.picture.rgb).max() <= 1
