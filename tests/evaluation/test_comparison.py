"""The comparison of one picture and its page: whole, self-contained, and with the right sources."""

import base64
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ttsr.errors import ImageError
from ttsr.evaluation.comparison import Comparison, check_sizes, compare
from ttsr.evaluation.comparison_data import comparison_data
from ttsr.evaluation.comparison_page import comparison_page
from ttsr.evaluation.protocols import PAPER_Y
from ttsr.geometry import apply
from ttsr.images.picture import Picture
from ttsr.images.resize import downscale4, upscale4
from ttsr.inference.references import read_reference
from ttsr.inference.upscaler import Upscaler
from ttsr.models.ttsr import TTSR

Pixels = NDArray[np.uint8]
ReadPage = Callable[[str], Any]


def made_page(comparison: Comparison, name: str = "small.png", **options: Any) -> str:
    return "".join(comparison_page(comparison, name, "ttsr-lite", **options))


def pixels(attrs: dict[str, str | None]) -> Pixels:
    uri = attrs["src"]
    assert uri is not None and uri.startswith("data:image/webp;base64,")
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.fixture(scope="module")
def comparison(aloe: Pixels, aloe_ref: Pixels, leuven: Pixels) -> Comparison:
    """With a rotated reference and one that shows something else, and a ground truth."""
    truth = np.ascontiguousarray(aloe[80:176, 120:280])
    seen = Image.fromarray(aloe_ref[50:230, 110:370])
    rotated = np.asarray(seen.rotate(15, Image.Resampling.BICUBIC, expand=True))
    references = [read_reference(leuven[:160, :240], 1), read_reference(rotated, 2)]
    return compare(Upscaler(device="cpu", precision="fp32"), Picture(downscale4(truth)), references, Picture(truth))


def test_shows_and_scores_every_image(comparison: Comparison, read_page: ReadPage) -> None:
    truth, result = comparison.truth, comparison.result
    assert truth is not None
    text = made_page(comparison, lossless=True)
    reader = read_page(text)
    images = reader.images()
    wanted = {
        "bicubic": upscale4(comparison.lr.rgb),
        "without a reference": comparison.without.picture.rgb,
        "with references": result.picture.rgb,
        "ground truth": truth,
    }
    for name, image in wanted.items():
        np.testing.assert_array_equal(pixels(images[name]), image)
    for name in ("relevance", "confidence", "provenance"):
        assert pixels(images[name]).shape == truth.shape
    assert not np.array_equal(comparison.without.picture.rgb, result.picture.rgb)
    for name, prediction in ("bicubic", wanted["bicubic"]), ("with", wanted["with references"]):
        assert comparison.scores[name] == PAPER_Y.score(truth, prediction)
        for cell in comparison.scores[name].texts():
            assert f"<td>{cell}</td>" in text
    assert comparison.scores["with"].psnr > comparison.scores["bicubic"].psnr + 1
    options = [attrs["value"] for tag, attrs in reader.tags if tag == "option"]
    assert options == 2 * ["bicubic", "without", "with", "truth", "relevance", "confidence", "provenance"]
    references = [attrs for tag, attrs in reader.tags if tag == "section" and "reference" in str(attrs["class"])]
    assert len(references) == 2 and "2: reference 2" in images and "left out" in text


def test_the_script_knows_where_each_place_came_from(comparison: Comparison, read_page: ReadPage) -> None:
    reader = read_page(made_page(comparison))
    data, result = json.loads(reader.data), comparison.result
    rows, columns = result.index.shape[:2]
    assert (data["rows"], data["columns"], data["size"], data["wide"]) == (rows, columns, [160, 96], False)
    index = np.frombuffer(base64.b64decode(data["index"]), "<i2").reshape(rows, columns, 3)
    values = np.frombuffer(base64.b64decode(data["values"]), "<i2").reshape(rows, columns, 4) / data["steps"]
    np.testing.assert_array_equal(index, result.index)
    np.testing.assert_allclose(values[..., 0], result.relevance, atol=1e-4)
    np.testing.assert_allclose(values[..., 1:], result.confidence, atol=1e-4)
    for x, y in ((0, 0), (81, 47), (159, 95)):  # as in origin() of the script
        expected = result.provenance(x, y)
        assert expected is not None
        right, down = (x + 0.5) / 4, (y + 0.5) / 4
        number, first, begin = index[int(down), int(right)]
        reference = data["references"][number]
        to_fitted, to_source = (np.reshape(reference[key], (3, 3)) for key in ("to_fitted", "to_source"))
        fitted = apply(to_fitted, np.array([[begin + 0.5, first + 0.5]]))
        inside = 4 * np.array([right - int(right), down - int(down)])
        there = apply(to_source, fitted - 0.5 + inside)[0].clip(0, np.array(reference["size"]) - 1)
        assert number == expected.number == 1
        assert np.floor(there).tolist() == [expected.x, expected.y]
        matched = values[int(down), int(right), 1:].mean() >= data["trusted"]
        assert matched == expected.matched


def test_far_places_take_32_bits(comparison: Comparison) -> None:
    index = comparison.result.index.copy()
    index[2, 3] = 1, 40_000, 7
    data = json.loads(comparison_data(replace(comparison.result, index=index)))
    assert data["wide"]
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(data["index"]), "<i4"), index.ravel())


def test_nothing_is_loaded(comparison: Comparison, read_page: ReadPage) -> None:
    text = made_page(comparison)
    reader = read_page(text)
    assert {tag for tag, _ in reader.tags}.isdisjoint({"link", "iframe", "object", "base"})
    for _, attrs in reader.tags:
        assert "href" not in attrs
        assert str(attrs.get("src", "data:")).startswith("data:")
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style and "@import" not in style
    policies = [attrs["content"] for _, attrs in reader.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policies[0] is not None and policies[0].startswith("default-src 'none'")
    assert not re.search(r"https?://", text)


@pytest.mark.parametrize("name", ['</script><script>alert("1")</script>', "\" onerror='x'", "a&amp;b", "<!--"])
def test_names_are_only_text(comparison: Comparison, read_page: ReadPage, name: str) -> None:
    left_out, used = comparison.result.references
    fit = used.fit
    assert fit is not None
    called = replace(used.source, name=name)
    original = replace(fit.original, source=called)
    renamed = replace(used, pixels=replace(used.pixels, source=called), fit=replace(fit, original=original))
    result = replace(comparison.result, references=(left_out, renamed))
    reader = read_page(made_page(replace(comparison, result=result), name))
    assert sum(tag == "script" for tag, _ in reader.tags) == 2
    shown = name.rpartition("/")[2]
    assert json.loads(reader.data)["references"][1]["name"] == shown
    assert f"2: {shown}" in reader.images()
    known = {"id", "class", "src", "alt", "draggable", "data-key"}
    assert all(set(attrs) <= known for attrs in reader.images().values())


@pytest.mark.parametrize("kind", ["all left out", "its own without", "16 bits"])
def test_results_of_every_kind(kind: str, model: TTSR, aloe: Pixels, leuven: Pixels, read_page: ReadPage) -> None:
    lr = downscale4(np.ascontiguousarray(aloe[80:144, 120:200]))
    picture = Picture(lr.astype(np.uint16) * 257 if kind == "16 bits" else lr)
    network = model if kind == "its own without" else "ttsr-lite"
    upscaler = Upscaler(network, device="cpu", precision="fp32")
    comparison = compare(
        upscaler, picture, [read_reference((leuven if kind == "all left out" else aloe)[60:180, 90:250])]
    )
    text = made_page(comparison)
    reader = read_page(text)
    assert comparison.scores == {} and "ground truth" not in reader.images() and "PSNR" not in text
    assert ("the picture is its own" in text) == (kind == "its own without")
    index = np.frombuffer(base64.b64decode(json.loads(reader.data)["index"]), "<i2")
    assert (index == -1).all() == (kind == "all left out")


def test_a_base_is_shown_scored_and_added_to(model: TTSR, aloe: Pixels, read_page: ReadPage) -> None:
    truth = np.ascontiguousarray(aloe[80:144, 120:200])
    lr, base = Picture(downscale4(truth)), Picture((0.5 * truth + 0.5 * upscale4(downscale4(truth))).astype(np.uint8))
    upscaler, references = Upscaler(model, device="cpu"), [read_reference(aloe[100:180, 100:220])]
    comparison = compare(upscaler, lr, references, Picture(truth), base=base)
    expected = upscaler.upscale(lr, upscaler.encode_references(references), base=base)
    np.testing.assert_array_equal(comparison.result.picture.rgb, expected.picture.rgb)
    np.testing.assert_array_equal(comparison.without.picture.rgb, upscaler.upscale(lr, ()).picture.rgb)
    assert list(comparison.scores) == ["bicubic", "base", "without", "with"]
    assert comparison.scores["base"] == PAPER_Y.score(truth, base.rgb)
    text = made_page(comparison, lossless=True)
    reader = read_page(text)
    np.testing.assert_array_equal(pixels(reader.images()["base"]), base.rgb)
    options = [attrs["value"] for tag, attrs in reader.tags if tag == "option"]
    assert options[:5] == ["bicubic", "base", "without", "with", "truth"]
    with pytest.raises(ImageError, match=r"base 20x16: is not four times as large as the picture: give one of 80x64"):
        compare(upscaler, lr, references, base=lr)


def test_sizes_that_do_not_fit() -> None:
    lr = Picture(np.zeros((24, 32, 3), np.uint8))

    def check(width: int, height: int) -> None:
        check_sizes(lr, Picture(np.zeros((height, width, 3), np.uint8)), lr_name="a.png", truth_name="b.png")

    check(128, 96)
    with pytest.raises(ImageError, match=r"b.png: is 127x96, but the result of a.png is 128x96: give .* of 128x96"):
        check(127, 96)
    wide = Picture(np.zeros((1, 4096, 3), np.uint8))
    with pytest.raises(ImageError, match=r"a.png: the result of 16384x4 is too large .* 4095 pixels"):
        check_sizes(wide, None, lr_name="a.png", truth_name="")
    tiny = Picture(np.zeros((2, 9, 3), np.uint8))
    with pytest.raises(ImageError, match=r"b.png: 36x8 is too small to score"):
        check_sizes(tiny, Picture(np.zeros((8, 36, 3), np.uint8)), lr_name="a.png", truth_name="b.png")
