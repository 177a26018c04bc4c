"""Means and notes, and the formats of the report."""

import csv
import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ttsr.evaluation.protocols import MMAGIC_RGB, PAPER_Y, PROTOCOLS, TITLES, Score
from ttsr.evaluation.published_scores import PUBLISHED_SCORES
from ttsr.evaluation.report import Report, make_rows
from ttsr.evaluation.report_files import as_csv, as_json, read_mean_scores
from ttsr.evaluation.report_table import summary
from ttsr.evaluation.scored_picture import PictureScore


def scored(number: int, psnr: float, **other: Any) -> PictureScore:
    score = PictureScore(
        number=number,
        name=f"{number:03d}",
        size=(40, 36),
        reference="2",
        files=(f"{number:03d}_2.png",),
        substituted=False,
        reference_size=(40, 36),
        model={
            "paper-y": Score(psnr, 0.8, 0.02, 0.1, 0.9, 4.0),
            "mmagic-rgb": Score(psnr - 1, 0.7, 0.03, 0.2, 0.8, 5.0),
        },
        bicubic={"paper-y": Score(25.0, 0.6, 0.04, 0.3, 0.7, 6.0), "mmagic-rgb": Score(24.0, 0.5, 0.05, 0.4, 0.6, 7.0)},
        relevance=0.5,
        seconds=1.0,
    )
    return replace(score, **other)


def test_means_are_over_pictures_and_in_any_order() -> None:
    scores = [scored(number, psnr) for number, psnr in enumerate((26.1, 27.3, 0.1 + 0.2))]
    (row,) = make_rows("m", scores, ["2"])
    (backwards,) = make_rows("m", scores[::-1], ["2"])
    assert backwards == row
    assert row.model_mean(PAPER_Y) == pytest.approx(((26.1 + 27.3 + 0.3) / 3, 0.8, 0.02, 0.1, 0.9, 4.0))
    assert row.gain(MMAGIC_RGB).psnr == pytest.approx((26.1 + 27.3 + 0.3) / 3 - 25)


def test_niqe_is_averaged_over_the_pictures_that_have_one() -> None:
    small = scored(1, 26, model={"paper-y": Score(26, 0.8, 0.02, 0.1, 0.9)})
    large = [scored(number, 26) for number in (0, 2)]
    (row,) = make_rows("m", [small, *large], ["2"])
    assert row.model_mean(PAPER_Y).niqe == 4.0
    (row,) = make_rows("m", [small], ["2"])
    assert row.model_mean(PAPER_Y).texts() == ["26.00", "0.8000", "0.0200", "0.1000", "0.9000", "-"]


def test_notes_how_many_pictures_have_the_level() -> None:
    (row,) = make_rows("m", [scored(0, 26), scored(1, 26, substituted=True), scored(2, 26, substituted=True)], ["2"])
    assert row.substituted == ("001", "002")
    assert row.notes() == ["2 of 3 without reference 2, which were given their last one: 1 picture has this level"]


def test_notes_larger_squares_of_stacked_references() -> None:
    scores = [
        scored(number, 26, reference="stacked", reference_size=(side, 2 * side))
        for number, side in enumerate((500, 608))
    ]
    (note,) = make_rows("m", scores, ["stacked"])[0].notes()
    assert note.startswith("1 of 2 with references larger than 500x500, stacked on squares of up to 608x608")


def test_csv_has_a_line_for_each_score() -> None:
    scores = [scored(0, 26.0, files=("a 1.png", "b.png")), scored(1, 27.0, name='a,"b', reference="lr", files=())]
    report = Report((PAPER_Y, MMAGIC_RGB), tuple(make_rows("m", scores, ["2", "lr"])))
    lines = list(csv.DictReader(io.StringIO(as_csv(report))))
    assert [(line["references"], line["picture"], line["protocol"]) for line in lines] == [
        ("2", "000", "paper-y"),
        ("2", "000", "mmagic-rgb"),
        ("lr", 'a,"b', "paper-y"),
        ("lr", 'a,"b', "mmagic-rgb"),
    ]
    assert lines[0]["files"].split("|") == ["a 1.png", "b.png"] and lines[3]["files"] == ""
    shown = {name: float(value) for name, value in lines[3].items() if name.endswith(tuple(TITLES))}
    ours = {"psnr": 26, "ssim": 0.7, "mae": 0.03, "gmsd": 0.2, "haarpsi": 0.8, "niqe": 5}
    bicubic = {"psnr": 24, "ssim": 0.5, "mae": 0.05, "gmsd": 0.4, "haarpsi": 0.6, "niqe": 7}
    assert shown == ours | {f"bicubic_{metric}": value for metric, value in bicubic.items()}


def test_json_has_no_infinity(tmp_path: Path) -> None:
    report = Report((PAPER_Y,), tuple(make_rows("m", [scored(0, float("inf"))], ["2"])))
    row = as_json(report, tmp_path, "cpu")["rows"][0]
    assert row["pictures"][0]["model"]["paper-y"] == {
        "psnr": None,
        "ssim": 0.8,
        "mae": 0.02,
        "gmsd": 0.1,
        "haarpsi": 0.9,
        "niqe": 4.0,
    }
    assert row["means"]["paper-y"]["bicubic"] == {
        "psnr": 25.0,
        "ssim": 0.6,
        "mae": 0.04,
        "gmsd": 0.3,
        "haarpsi": 0.7,
        "niqe": 6.0,
    }


def test_two_exact_pictures_gain_nothing() -> None:
    exact = Score(math.inf, 1.0, 0.0, 0.0, 1.0, 4.0)
    both = scored(0, 26, model={"paper-y": exact}, bicubic={"paper-y": exact})
    assert both.gain(PAPER_Y) == (0, 0, 0, 0, 0, 0)
    other = scored(
        1, 26, model={"paper-y": Score(26, 0.8, 0.02, 0.1, 0.9)}, bicubic={"paper-y": Score(25, 0.6, 0.04, 0.3, 0.7)}
    )
    (row,) = make_rows("m", [both, other], ["2"])
    assert row.model_mean(PAPER_Y).psnr == row.bicubic_mean(PAPER_Y).psnr == math.inf
    assert row.gain(PAPER_Y).psnr == pytest.approx(0.5)
    assert row.notes() == [
        f"{who} equals the ground truth on 000 by paper-y: PSNR is infinite there, and so is its mean"
        for who in ("bicubic", "m with reference 2")
    ]


def test_infinite_gains_of_both_signs_have_no_mean() -> None:
    better = scored(0, math.inf)
    worse = scored(
        1, 26, bicubic={"paper-y": Score(math.inf, 1.0, 0.0, 0.0, 1.0), "mmagic-rgb": Score(24.0, 0.5, 0.05, 0.4, 0.6)}
    )
    (row,) = make_rows("m", [better, worse], ["2"])
    assert math.isnan(row.gain(PAPER_Y).psnr)
    report = Report((PAPER_Y,), (row,))
    assert as_json(report, Path(), "cpu")["rows"][0]["means"]["paper-y"]["gain"]["psnr"] is None


def test_notes_name_a_few_pictures_and_count_the_rest() -> None:
    (row,) = make_rows("m", [scored(number, math.inf) for number in range(8)], ["2"])
    assert "equals the ground truth on 000, 001, 002, 003, 004 and 3 more by paper-y, mmagic-rgb:" in row.notes()[0]


def bicubic_lines(difference: float) -> list[str]:
    """Bicubic's of the summary of two models, where the LR that goes with one reference scores this much more."""
    other = {"paper-y": Score(25.0 + difference, 0.6, 0.04, 0.3, 0.7, 6.0)}
    scores = [scored(0, 26), scored(0, 26, reference="lr", bicubic=other)]
    rows = [row for name in ("m", "n") for row in make_rows(name, scores, ["2", "lr"])]
    console = Console(width=100)
    with console.capture() as capture:
        console.print(summary(Report((PAPER_Y,), tuple(rows)), "set"))
    return [line for line in capture.get().splitlines() if "bicubic" in line and "over" not in line][-2:]


def test_bicubic_has_a_row_for_each_reference_where_they_differ() -> None:
    reference, itself = bicubic_lines(0.5)
    assert "reference 2" in reference and "25.00" in reference
    assert "the LR itself" in itself and "25.50" in itself


def test_bicubic_has_one_row_where_all_references_look_the_same() -> None:
    same = [line for line in bicubic_lines(0.001) if "25.00" in line]
    assert len(same) == 1 and "reference" not in same[0] and "LR" not in same[0]


def test_docs_list_what_is_published() -> None:
    text = (Path(__file__).parents[2] / "docs" / "scoring.md").read_text(encoding="utf-8")
    section = text.partition("## Published scores")[2]
    listed = [[cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.*\|$", section, re.M)]
    assert listed[2:] == [
        [
            row.marked_method,
            f"{row.psnr:.2f}",
            f"{row.ssim:.3f}",
            row.protocol or "not stated",
            row.references,
            row.source,
        ]
        for row in PUBLISHED_SCORES
    ]


def test_published_scores_name_protocols_of_ours() -> None:
    assert {row.protocol for row in PUBLISHED_SCORES} <= {None, *PROTOCOLS}
    methods = {row.method.split("-")[0].split(",")[0] for row in PUBLISHED_SCORES}
    assert {"TTSR", "SRNTT", "MASA", "C2", "DATSR"} <= methods
    assert all(20 < row.psnr < 30 and 0.6 < row.ssim < 0.9 for row in PUBLISHED_SCORES)


def test_scores_of_an_older_report_without_later_metrics_are_read(tmp_path: Path) -> None:
    report = as_json(Report((PAPER_Y,), tuple(make_rows("m", [scored(0, 26.5)], ["2"]))), tmp_path / "CUFED5", "cpu")
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report))
    where = "CUFED5, reference 2, paper-y"
    assert read_mean_scores(path, "m") == {
        where: {"psnr": 26.5, "ssim": 0.8, "mae": 0.02, "gmsd": 0.1, "haarpsi": 0.9, "niqe": 4.0}
    }
    for scores in report["rows"][0]["means"]["paper-y"].values():
        del scores["mae"], scores["gmsd"], scores["haarpsi"], scores["niqe"]
    path.write_text(json.dumps(report))
    assert read_mean_scores(path, "m") == {where: {"psnr": 26.5, "ssim": 0.8}}
