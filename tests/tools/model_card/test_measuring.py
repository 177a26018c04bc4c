"""All choices of references at once give the scores of `ttsr evaluate`, and the tables show them."""

from dataclasses import replace
from pathlib import Path

import pytest
from model_card.charts import gains_chart
from model_card.measuring import CHOICES, NUMBERED, measure, row_of, with_every_level
from model_card.pages import model_scores, report_chart
from model_card.tables import gains, levels_table, protocols_table

from ttsr.data.cufed5 import list_groups
from ttsr.evaluation.protocols import MMEDIT_RGB, PAPER_Y, PROTOCOLS
from ttsr.evaluation.report import Report, make_rows
from ttsr.evaluation.scoring import evaluate
from ttsr.models.ttsr import TTSR
from ttsr.progress import Progress


@pytest.fixture(scope="module")
def report(model: TTSR, folder: Path) -> Report:
    return measure("m", model, list_groups(folder))


def cells(table: str, head: str) -> list[str]:
    """The other cells of the row that begins with `head`."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    (row,) = [row for row in rows if row[0] == head]
    return row[1:]


def test_scores_are_those_of_evaluate(model: TTSR, folder: Path, report: Report) -> None:
    protocols = tuple(PROTOCOLS.values())
    scores = evaluate(model, list_groups(folder), references=CHOICES, protocols=protocols)
    expected = make_rows("m", [replace(score, seconds=0) for score in scores], CHOICES)
    timeless = [replace(row, pictures=tuple(replace(p, seconds=0) for p in row.pictures)) for row in report.rows]
    assert timeless == expected


def test_the_network_sees_the_same_inputs_once(model: TTSR, folder: Path) -> None:
    passes, done = [], []
    hook = model.register_forward_pre_hook(lambda *_: passes.append(1))
    try:
        measure("m", model, list_groups(folder), Progress(lambda fraction, _: done.append(fraction)))
    finally:
        hook.remove()
    # The LR itself is the same to every protocol, other references are resized in three ways: for the first picture
    # unrelated, five and all; for the second unrelated and its only one; for the third unrelated, two and both.
    assert len(passes) == 3 + 3 * (7 + 2 + 4)
    assert done == pytest.approx([1 / 3, 2 / 3, 1])


def test_levels_table_has_the_means(report: Report) -> None:
    first, own = row_of(report, "1"), row_of(report, "lr")
    full = with_every_level(report)
    assert full is not None and [picture.name for picture in full.rows[0].pictures] == ["000"]
    has, scores, over_bicubic, over_own, full_scores, *_ = cells(levels_table(report), "reference 1")
    psnr, ssim, *_ = first.model_mean(PAPER_Y)
    assert (has, scores) == ("3", f"{psnr:.2f}, {ssim:.4f}")
    assert over_bicubic == f"{psnr - first.bicubic_mean(PAPER_Y).psnr:+z.2f} dB"
    assert over_own == f"{psnr - own.model_mean(PAPER_Y).psnr:+z.2f} dB"
    alone = first.pictures[0].model["paper-y"]
    assert full_scores == f"{alone.psnr:.2f}, {alone.ssim:.4f}"
    assert [cells(levels_table(report), f"reference {number}")[0] for number in NUMBERED] == ["3", "2", "1", "1", "1"]


def test_protocols_table_has_every_protocol(report: Report) -> None:
    table = protocols_table(report)
    assert table.splitlines()[0] == f"| reference | {' | '.join(f'`{name}`' for name in PROTOCOLS)} |"
    row = row_of(report, "all")
    psnr, ssim, *_ = row.model_mean(MMEDIT_RGB)
    shown = cells(table, "all references")[list(PROTOCOLS).index("mmedit-rgb")]
    assert shown == f"{psnr:.2f}, {ssim:.4f} ({row.gain(MMEDIT_RGB).psnr:+z.2f})"
    assert table in model_scores(report)


def test_gains_counts_pictures(report: Report) -> None:
    each = sorted(picture.gain(PAPER_Y).psnr for picture in row_of(report, "1").pictures)
    sentence = gains(report, PAPER_Y)
    assert f"{sum(gain > 0 for gain in each)} of 3 pictures" in sentence
    assert all(f"{gain:+z.2f} dB" in sentence for gain in each)


def test_chart_shows_both_gains_of_each_picture(report: Report) -> None:
    own, first = (row_of(report, reference).pictures for reference in ("lr", "1"))
    points = [(a.gain(PAPER_Y).psnr, b.gain(PAPER_Y).psnr) for a, b in zip(own, first, strict=True)]
    labels = [f"gain over bicubic with {which}, dB" for which in ("the LR itself", "reference 1")]
    assert len(points) == 3
    assert report_chart("m", report) == gains_chart("m: 3 pictures", labels[0], labels[1], points)
