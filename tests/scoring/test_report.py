"""Means and remarks, and the forms in which they are written."""

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ttsr.metrics.protocols import MMAGIC_RGB, PAPER_Y, PROTOCOLS, Score
from ttsr.scoring.picture import PictureScore
from ttsr.scoring.published import PUBLISHED
from ttsr.scoring.records import as_csv, as_json
from ttsr.scoring.report import Report, make_rows


def scored(number: int, psnr: float, **other: Any) -> PictureScore:
    score = PictureScore(
        number=number,
        name=f"{number:03d}",
        size=(40, 36),
        reference="2",
        files=(f"{number:03d}_2.png",),
        substituted=False,
        reference_size=(40, 36),
        model={"paper-y": Score(psnr, 0.8), "mmagic-rgb": Score(psnr - 1, 0.7)},
        bicubic={"paper-y": Score(25.0, 0.6), "mmagic-rgb": Score(24.0, 0.5)},
        relevance=0.5,
        seconds=1.0,
    )
    return replace(score, **other)


def test_means_are_over_pictures_and_in_any_order() -> None:
    scores = [scored(number, psnr) for number, psnr in enumerate((26.1, 27.3, 0.1 + 0.2))]
    (row,) = make_rows("m", scores, ["2"])
    (backwards,) = make_rows("m", scores[::-1], ["2"])
    assert backwards == row
    assert row.model_mean(PAPER_Y) == pytest.approx(((26.1 + 27.3 + 0.3) / 3, 0.8))
    assert row.gain(MMAGIC_RGB).psnr == pytest.approx((26.1 + 27.3 + 0.3) / 3 - 25)


def test_says_over_how_many_pictures_a_level_exists() -> None:
    (row,) = make_rows("m", [scored(0, 26), scored(1, 26, substituted=True), scored(2, 26, substituted=True)], ["2"])
    assert row.substituted == ("001", "002")
    assert row.notes() == ["2 of 3 without reference 2, which were given their last one: 1 picture has this level"]


def test_says_that_stacked_squares_had_to_grow() -> None:
    scores = [
        scored(number, 26, reference="stacked", reference_size=(side, 2 * side))
        for number, side in enumerate((500, 608))
    ]
    (note,) = make_rows("m", scores, ["stacked"])[0].notes()
    assert note.startswith("1 of 2 with references larger than 500x500, stacked on squares of up to 608x608")


def test_csv_has_a_line_for_each_score() -> None:
    scores = [scored(0, 26.0), scored(1, 27.0, name='a,"b', reference="lr", files=())]
    report = Report((PAPER_Y, MMAGIC_RGB), tuple(make_rows("m", scores, ["2", "lr"])))
    lines = list(csv.DictReader(io.StringIO(as_csv(report))))
    assert [(line["references"], line["picture"], line["protocol"]) for line in lines] == [
        ("2", "000", "paper-y"),
        ("2", "000", "mmagic-rgb"),
        ("lr", 'a,"b', "paper-y"),
        ("lr", 'a,"b', "mmagic-rgb"),
    ]
    assert float(lines[3]["psnr"]) == 26 and float(lines[3]["bicubic_psnr"]) == 24


def test_json_has_no_infinity(tmp_path: Path) -> None:
    report = Report((PAPER_Y,), tuple(make_rows("m", [scored(0, float("inf"))], ["2"])))
    row = as_json(report, tmp_path, "cpu")["rows"][0]
    assert row["pictures"][0]["model"]["paper-y"] == {"psnr": None, "ssim": 0.8}
    assert row["means"]["paper-y"]["bicubic"] == {"psnr": 25.0, "ssim": 0.6}


def test_published_figures_name_protocols_of_ours() -> None:
    assert {figure.protocol for figure in PUBLISHED} <= {None, *PROTOCOLS}
    methods = {figure.method.split("-")[0].split(",")[0] for figure in PUBLISHED}
    assert {"TTSR", "SRNTT", "MASA", "C2", "DATSR"} <= methods
    assert all(20 < figure.psnr < 30 and 0.6 < figure.ssim < 0.9 for figure in PUBLISHED)
