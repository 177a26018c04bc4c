"""Where textures came from, and how much of a picture found a match."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from ttsr.errors import ImageError
from ttsr.images.picture import Picture
from ttsr.images.resize import downscale4, resize_bicubic
from ttsr.inference.sizes import upscale_to
from ttsr.inference.texture_origins import learned_confidence, shares
from ttsr.inference.upscaled import Upscaled
from ttsr.inference.upscaler import Upscaler
from ttsr.models.ttsr import TTSR

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return Upscaler(device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def whole(aloe: Pixels) -> Pixels:
    return aloe[40:220, 80:320]


@pytest.fixture(scope="module")
def cut(whole: Pixels) -> Pixels:
    return whole[40:136, 40:200]


@pytest.fixture(scope="module")
def other(leuven: Pixels) -> Pixels:
    """Something else."""
    return leuven[:160, :240]


@pytest.fixture(scope="module")
def itself(upscaler: Upscaler, cut: Pixels, whole: Pixels, other: Pixels) -> Upscaled:
    """The middle of a picture by the whole of it, rotated, beside something that is left out."""
    rotated = np.ascontiguousarray(np.rot90(whole, -1))  # the pixel (x, y) is at (height - 1 - y, x)
    return upscaler.upscale(downscale4(cut), upscaler.encode_references([other, rotated]))


def misses(result: Upscaled, whole: Pixels, scale: float = 1.0) -> NDArray[np.float64]:
    """How far the origins of pixels lie from where they truly come from, in pixels of the reference."""
    width, height = result.picture.size
    off = []
    for y in range(2, height - 2, 7):
        for x in range(2, width - 2, 7):
            origin = result.provenance(x, y)
            assert origin is not None and origin.number == 1 and origin.source.name == "reference 2"
            true_x, true_y = whole.shape[0] - 1 - ((y + 0.5) / scale - 0.5 + 40), (x + 0.5) / scale - 0.5 + 40
            off.append(max(abs(origin.x - true_x), abs(origin.y - true_y)))
    return np.array(off)


def test_each_pixel_has_its_own_place_in_the_file(itself: Upscaled, whole: Pixels) -> None:
    off = misses(itself, whole)
    assert np.median(off) <= 1 and (off <= 2).mean() > 0.9
    origin = itself.provenance(81, 42)
    assert origin is not None and origin.matched
    assert origin.relevance == itself.relevance[10, 20] and origin.confidence == tuple(itself.confidence[10, 20])


def test_at_another_size_too(upscaler: Upscaler, itself: Upscaled, cut: Pixels, whole: Pixels) -> None:
    result = upscale_to(upscaler, downscale4(cut), (320, 192), itself.references)
    off = misses(result, whole, 2)
    assert np.median(off) <= 1 and (off <= 2.5).mean() > 0.9


def test_neighbours_in_a_cell_are_neighbours_in_a_reference_that_is_used_as_it_is(
    upscaler: Upscaler, cut: Pixels
) -> None:
    plain = Upscaler(upscaler.model, device="cpu", precision="fp32", pose="off", match_colour="off")
    result = plain.upscale(downscale4(cut), plain.encode_references(cut))
    row, column = result.index[12, 20, 1:]
    for dy, dx in ((0, 0), (3, 0), (0, 3), (2, 1)):
        origin = result.provenance(80 + dx, 48 + dy)
        assert origin is not None and (origin.x, origin.y) == (column + dx, row + dy)


def test_shares_and_the_unmatched_are_the_whole_picture(itself: Upscaled) -> None:
    first, second = shares(itself)
    assert first == 0 and second > 0.9
    assert second + itself.unmatched == pytest.approx(1)
    assert itself.notes == ()


def test_a_picture_that_finds_no_match_is_noted(upscaler: Upscaler, cut: Pixels, other: Pixels) -> None:
    lr = Picture(downscale4(cut), notes=("something",))
    references = upscaler.encode_references(other)
    left_out = upscaler.upscale(lr, references)
    assert left_out.notes == ("something", "nothing of it was found in the references, so no textures were added")
    assert left_out.unmatched == 1 and shares(left_out) == (0,) and left_out.provenance(5, 5) is None
    kept = Upscaler(upscaler.model, device="cpu", precision="fp32", pose="off")
    used = kept.upscale(lr, references)
    assert len(used.notes) == 2 and "found no match in the references" in used.notes[1]
    assert 0.5 < used.unmatched < 1 and used.provenance(5, 5) is not None


def test_without_references_there_is_no_origin_and_nothing_to_note(upscaler: Upscaler, cut: Pixels) -> None:
    result = upscaler.upscale(downscale4(cut))
    assert result.provenance(0, 0) is None and result.notes == () and shares(result) == ()


def test_a_network_without_learned_confidence_trusts_every_match(tiny_model: TTSR, itself: Upscaled) -> None:
    lr = np.random.default_rng(0).integers(0, 256, (9, 6, 3), dtype=np.uint8)
    upscaler = Upscaler(tiny_model, device="cpu")
    references = upscaler.encode_references([resize_bicubic(lr, 24, 36), lr[:8, :4]])
    result = upscaler.upscale(lr, references)
    assert not learned_confidence(result) and learned_confidence(itself)
    assert result.unmatched == 0 and sum(shares(result)) == pytest.approx(1) and result.notes == ()
    assert np.allclose(shares(result), [(result.index[..., 0] == number).mean() for number in (0, 1)])
    own = upscaler.upscale(lr)
    origin = own.provenance(23, 35)
    assert own.own_reference and shares(own) == (1,) and origin is not None
    assert (origin.source.name, origin.source.size) == ("LR", (6, 9)) and origin.x < 6 and origin.y < 9


@pytest.mark.parametrize("place", [(-1, 0), (160, 0), (0, 96)])
def test_pixels_outside_are_refused(itself: Upscaled, place: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match="outside the result, which is 160x96"):
        itself.provenance(*place)


def test_confidence_decides_what_is_a_match(itself: Upscaled) -> None:
    doubted = itself.confidence.copy()
    doubted[:12] = 0.1
    result = replace(itself, confidence=doubted)
    assert result.unmatched == pytest.approx(0.5, abs=0.06)
    origin = result.provenance(3, 3)
    assert origin is not None and not origin.matched
