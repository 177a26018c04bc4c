from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from ttsr.evaluation.protocols import PAPER_Y
from ttsr.images.picture import Picture
from ttsr.images.resize import downscale4, resize_bicubic
from ttsr.inference.upscaled import Upscaled
from ttsr.inference.upscaler import Upscaler

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return Upscaler(device="cpu", precision="fp32")


def upscaled(upscaler: Upscaler, hr: Pixels, *references: Pixels) -> Upscaled:
    return upscaler.upscale(downscale4(hr), upscaler.encode_references(list(references)))


def gain(hr: Pixels, result: Upscaled, other: Upscaled) -> float:
    return PAPER_Y.psnr(hr, result.picture.rgb) - PAPER_Y.psnr(hr, other.picture.rgb)


@pytest.fixture(scope="module")
def whole(aloe: Pixels) -> Pixels:
    return aloe[40:280, 80:320]


@pytest.fixture(scope="module")
def hr(whole: Pixels) -> Pixels:
    return whole[40:200, 40:200]


@pytest.fixture(scope="module")
def view(aloe_ref: Pixels) -> Pixels:
    """Another view of what `whole` shows."""
    return aloe_ref[40:280, 80:400]


@pytest.fixture(scope="module")
def other(leuven: Pixels) -> Pixels:
    """Something else."""
    return leuven[:160, :240]


@pytest.fixture(scope="module")
def without(upscaler: Upscaler, hr: Pixels, other: Pixels) -> Upscaled:
    """With a reference of something else, which is left out."""
    return upscaled(upscaler, hr, other)


@pytest.fixture(scope="module")
def upright(upscaler: Upscaler, hr: Pixels, view: Pixels) -> Upscaled:
    """With another view of the same."""
    return upscaled(upscaler, hr, view)


def test_a_reference_of_something_else_is_left_out(without: Upscaled) -> None:
    (reference,) = without.references
    assert reference.fit is not None and reference.left_out
    assert str(reference.fit) == "shows nothing that matches, and is left out"
    assert (without.index == -1).all() and not without.relevance.any()
    assert not without.own_reference


def test_a_rotated_and_larger_reference_helps_as_the_upright_one(
    upscaler: Upscaler, hr: Pixels, view: Pixels, without: Upscaled, upright: Upscaled
) -> None:
    height, width = view.shape[:2]
    rotated = np.ascontiguousarray(np.rot90(resize_bicubic(view, 2 * width, 2 * height), -1))
    result = upscaled(upscaler, hr, rotated)
    (reference,) = result.references
    assert reference.fit is not None and reference.fit.use == "resampled" and reference.fit.pose is not None
    assert reference.fit.pose.scale == pytest.approx(2, rel=0.15)
    assert reference.fit.pose.rotation == pytest.approx(90, abs=10)
    assert gain(hr, upright, without) > 1
    assert gain(hr, result, without) > 0.8 * gain(hr, upright, without)


def test_places_are_those_of_the_file(upscaler: Upscaler, whole: Pixels, hr: Pixels, other: Pixels) -> None:
    rotated = np.ascontiguousarray(np.rot90(whole, -1))  # the pixel (x, y) is at (height - 1 - y, x)
    result = upscaled(upscaler, hr, other, rotated)
    assert [reference.left_out for reference in result.references] == [True, False]
    assert (result.index[..., 0] == 1).all()
    y, x = 4 * np.indices(result.index.shape[:2])
    rows, columns = x + 40, whole.shape[0] - 1 - (y + 40)
    off = np.abs(result.index[..., 1:] - np.stack([rows, columns], -1)).max(-1)
    assert np.median(off) <= 1 and (off <= 2).mean() > 0.9


def test_what_fits_is_used_as_it_is_and_encoded_once(upscaler: Upscaler, leuven: Pixels) -> None:
    references = upscaler.encode_references(leuven[:200, :240])
    picture = Picture(downscale4(leuven[20:180, 20:220]))
    seen = []
    hook = upscaler.model.extractor.register_forward_hook(lambda module, args, out: seen.append(args[0].shape[2:]))
    try:
        first = upscaler.upscale(picture, references)
        at_first, seen[:] = list(seen), []
        again = upscaler.upscale(picture, references)
    finally:
        hook.remove()
    np.testing.assert_array_equal(first.picture.rgb, again.picture.rgb)
    (reference,) = first.references
    assert reference.fit is not None and reference.fit.use == "as it is" and reference.as_is
    assert len(seen) < len(at_first)


def test_the_plan_is_that_of_what_is_used(upscaler: Upscaler, hr: Pixels, view: Pixels) -> None:
    """A reference three times as large is resampled, and costs what a reference of the picture's size does."""
    height, width = view.shape[:2]
    picture = Picture(downscale4(hr))
    references = upscaler.encode_references(resize_bicubic(view, 3 * width, 3 * height))
    fitted = upscaler.fit_references(picture, references)
    assert fitted[0].fit is not None and fitted[0].fit.use == "resampled"
    assert np.prod(fitted[0].grid) < 0.2 * np.prod(references[0].grid)
    assert upscaler.plan(picture, fitted).seconds < upscaler.plan(picture, references).seconds
    # For a second pass, on a picture twice as large.
    assert fitted[0].grid_for((80, 80)) == tuple(2 * side for side in fitted[0].grid)


def test_a_fitted_reference_is_not_fitted_again(upscaler: Upscaler, whole: Pixels, hr: Pixels, view: Pixels) -> None:
    picture = Picture(downscale4(hr))
    references = upscaler.encode_references(view)
    fitted = upscaler.fit_references(picture, references)
    assert upscaler.fit_references(picture, fitted) is fitted
    result = upscaler.upscale(picture, fitted)
    assert result.references == fitted
    np.testing.assert_array_equal(result.picture.rgb, upscaler.upscale(picture, references).picture.rgb)
    # For another picture the original is fitted.
    other = upscaler.fit_references(Picture(downscale4(whole[40:200, 40:220])), fitted)
    assert other[0].fit is not None and other[0].fit.original is references[0].pixels


def test_exposure_is_matched(upscaler: Upscaler, hr: Pixels, view: Pixels) -> None:
    dark = np.rint(0.5 * view + 20).astype(np.uint8)
    matched = upscaled(upscaler, hr, dark)
    (reference,) = matched.references
    assert reference.fit is not None and reference.fit.colours is not None
    np.testing.assert_allclose(reference.fit.colours[:, 0], 2, rtol=0.15)
    off = Upscaler(upscaler.model, device="cpu", precision="fp32", match_colour="off")
    unmatched = upscaled(off, hr, dark)
    assert gain(hr, matched, unmatched) > 0.3
    assert unmatched.references[0].fit is not None and unmatched.references[0].fit.colours is None


def test_off_uses_references_as_they_are(upscaler: Upscaler, aloe: Pixels, leuven: Pixels) -> None:
    off = Upscaler(upscaler.model, device="cpu", precision="fp32", pose="off", match_colour="off")
    result = upscaled(off, aloe[:80, :80], leuven[:160, :160])
    (reference,) = result.references
    assert reference.fit is None and result.relevance.any()


def test_16_bits_are_fitted_as_8(upscaler: Upscaler, hr: Pixels, view: Pixels, upright: Upscaled) -> None:
    deep = view.astype(np.uint16) * 257
    shallow = upright.picture.rgb
    lr = Picture(downscale4(hr).astype(np.uint16) * 257)
    result = upscaler.upscale(lr, upscaler.encode_references(Picture(deep)))
    difference = np.abs(result.picture.rgb / 257 - shallow)
    assert difference.mean() < 1 and PAPER_Y.psnr(shallow, np.rint(result.picture.rgb / 257).astype(np.uint8)) > 40


def test_tiny_pictures(upscaler: Upscaler, aloe: Pixels) -> None:
    for lr in (aloe[:1, :1], aloe[:3, :50], aloe[:17, :2]):
        result = upscaler.upscale(lr, upscaler.encode_references([aloe[:4, :4], aloe[:40, :60]]))
        assert result.picture.rgb.shape == (4 * lr.shape[0], 4 * lr.shape[1], 3)
        assert replace(result).index.shape[:2] == lr.shape[:2]
