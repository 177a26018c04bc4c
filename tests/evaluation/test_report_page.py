"""The HTML page: whole, self-contained and safe from the names that it shows."""

import base64
import io
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ttsr.data.cufed5 import list_groups
from ttsr.evaluation.protocols import PAPER_Y, Score
from ttsr.evaluation.report import Report, make_rows
from ttsr.evaluation.report_page import EncodedImage, encode_images, page
from ttsr.evaluation.scored_picture import ScoredImages
from ttsr.evaluation.scoring import evaluate
from ttsr.models.ttsr import TTSR

ReadPage = Callable[[str], Any]


def make(
    model: TTSR, folder: Path, *, lossless: bool, names: tuple[str, ...] = ("one", "two")
) -> tuple[str, list[ScoredImages]]:
    shown: list[ScoredImages] = []
    encoded: list[EncodedImage] = []
    rows = []
    for name in names:

        def on_picture(score, pictures, name=name) -> None:
            if score.reference == "1":
                shown.append(pictures)
                encoded.extend(encode_images(score, pictures, name, result_only=name != names[0], lossless=lossless))

        references = ("1", "none")
        scores = evaluate(model, list_groups(folder), references=references, protocols=[PAPER_Y], on_picture=on_picture)
        rows += make_rows(name, scores, references)
    report = Report((PAPER_Y,), tuple(rows))
    return "".join(page(report, "a <set>", encoded[::-1], lossless=lossless)), shown


def image(uri: str | None) -> np.ndarray:
    assert uri is not None and uri.startswith("data:image/webp;base64,")
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as picture:
        return np.asarray(picture.convert("RGB"))


def test_pictures_in_rows_by_gain(model: TTSR, folder: Path, read_page: ReadPage) -> None:
    text, shown = make(model, folder, lossless=True)
    reader = read_page(text)
    sections = [attrs for tag, attrs in reader.tags if tag == "section" and attrs.get("class") == "picture"]
    gains = [float(str(attrs["data-gain"])) for attrs in sections]
    assert gains == sorted(gains, reverse=True)
    assert sorted(str(attrs["data-name"]) for attrs in sections) == ["000", "001", "002", "003"]
    images = [attrs for tag, attrs in reader.tags if tag == "img"]
    assert [attrs["alt"] for attrs in images[:6]] == [
        "LR",
        f"{sections[0]['data-name']}_1.png",
        "bicubic",
        "one",
        "two",
        "ground truth",
    ]
    assert len(images) == 4 * 6
    first = shown[int(str(sections[0]["data-name"]))]
    wanted = [first.lr, first.reference, first.bicubic, first.sr, first.sr, first.hr]
    for attrs, pixels in zip(images, wanted, strict=False):
        assert pixels is not None
        assert np.array_equal(image(attrs["src"]), pixels)


def test_infinite_scores_are_numbers_to_the_script(model: TTSR, folder: Path, read_page: ReadPage) -> None:
    scores = evaluate(model, list_groups(folder), protocols=[PAPER_Y])
    infinite, middling = Score(math.inf, 1.0, 0.0, 0.0, 1.0), Score(25.0, 0.8, 0.02, 0.1, 0.9)
    pairs = [
        (middling, infinite),
        (infinite, infinite),
        (Score(math.nan, 0.0, 0.0, 0.0, 0.0), middling),
        (infinite, middling),
    ]
    changed = [
        replace(score, model={"paper-y": ours}, bicubic={"paper-y": bicubic})
        for score, (ours, bicubic) in zip(scores, pairs, strict=True)
    ]
    report = Report((PAPER_Y,), tuple(make_rows("m", changed, ["1"])))
    uris = dict.fromkeys(("LR", "bicubic", "by m", "ground truth", "reference"), "data:,")
    encoded = [EncodedImage(number, part, uri) for number in range(4) for part, uri in uris.items()]
    reader = read_page("".join(page(report, "set", encoded, lossless=True)))
    sections = [attrs for tag, attrs in reader.tags if tag == "section" and attrs.get("class") == "picture"]
    assert [(attrs["data-name"], attrs["data-gain"]) for attrs in sections] == [
        ("003", "Infinity"),
        ("001", "0.000000"),
        ("000", "-Infinity"),
        ("002", "NaN"),
    ]
    assert [attrs["data-bicubic"] for attrs in sections] == ["25.000000", "Infinity", "Infinity", "25.000000"]


def test_nothing_is_loaded(model: TTSR, folder: Path, read_page: ReadPage) -> None:
    text, _ = make(model, folder, lossless=False)
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


def test_lists_published_scores_and_how_images_are_stored(model: TTSR, folder: Path) -> None:
    text, _ = make(model, folder, lossless=False)
    assert "Published scores on CUFED5" in text and "only where the test set is CUFED5" in text
    for name in ("TTSR-rec", "SRNTT-l2", "MASA-rec", "C2-Matching-rec", "DATSR-rec"):
        assert f"<th>{name}" in text
    assert "WebP of quality 92; scores are of the exact pixels" in text
    assert len(text) < len(make(model, folder, lossless=True)[0])


@pytest.mark.parametrize("name", ['<script>alert("1")</script>', "\" onerror='x'", "a&amp;b"])
def test_names_are_only_text(model: TTSR, folder: Path, read_page: ReadPage, name: str) -> None:
    text, _ = make(model, folder, lossless=False, names=(name,))
    reader = read_page(text)
    assert sum(tag == "script" for tag, _ in reader.tags) == 1
    images = [attrs for tag, attrs in reader.tags if tag == "img"]
    assert images[3]["alt"] == name
    assert all(set(attrs) <= {"class", "src", "alt", "draggable"} for attrs in images)
