"""All choices of references at once give the scores of `ttsr evaluate`, and the tables show them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from model_card.measuring import CHOICES, NUMBERED, PROTOCOL_CHOICES, Measurement, measure, row_of, with_every_level
from model_card.pages import model_scores
from model_card.tables import gains, levels_table, protocols_table

from ttsr.data.cufed5 import list_groups
from ttsr.evaluation.protocols import MMEDIT_RGB, PAPER_Y, PROTOCOLS
from ttsr.evaluation.report import Report, Row, make_rows
from ttsr.evaluation.scoring import evaluate
from ttsr.models.ttsr import TTSR
from ttsr.progress import Progress


@pytest.fixture(scope="module")
def measurement(model: TTSR, folder: Path) -> Measurement:
    return measure("m", model, list_groups(folder))


@pytest.fixture(scope="module")
def report(measurement: Measurement) -> Report:
    return measurement.by_reference


def cells(table: str, head: str) -> list[str]:
    """The other cells of the row that begins with `head`."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    (row,) = [row for row in rows if row[0] == head]
    return row[1:]


def timeless(rows: Sequence[Row]) -> list[Row]:
    return [replace(r, pictures=tuple(replace(p, seconds=0, cpu_seconds=0) for p in r.pictures)) for r in rows]


def test_scores_are_those_of_evaluate(model: TTSR, folder: Path, measurement: Measurement) -> None:
    groups = list_groups(folder)
    scores = evaluate(model, groups, references=CHOICES, protocols=(PAPER_Y,))
    assert timeless(measurement.by_reference.rows) == timeless(make_rows("m", scores, CHOICES))
    protocols = tuple(PROTOCOLS.values())
    scores = evaluate(model, groups, references=PROTOCOL_CHOICES, protocols=protocols)
    assert timeless(measurement.by_protocol.rows) == timeless(make_rows("m", scores, PROTOCOL_CHOICES))
    assert measurement.num_parameters == sum(p.numel() for p in model.parameters())
    assert measurement.cpu_seconds.keys() == set(PROTOCOL_CHOICES) and min(measurement.cpu_seconds.values()) > 0


def test_the_network_sees_the_same_inputs_once(model: TTSR, folder: Path) -> None:
    passes, done = [], []
    hook = model.register_forward_pre_hook(lambda *_: passes.append(1))
    threads = torch.get_num_threads()
    try:
        measure("m", model, list_groups(folder), Progress(lambda fraction, _: done.append(fraction)))
    finally:
        hook.remove()
    assert torch.get_num_threads() == threads
    # Of each picture once without a reference, with the LR itself, and with the unrelated one; reference 1 in three
    # sizes; then of the first four more references and all, of the second nothing new, of the third another and both.
    # The first picture is timed, with none and one.
    assert len(passes) == 3 * (1 + 1 + 1 + 3) + 5 + 0 + 2 + 2
    assert done == pytest.approx([1 / 3, 2 / 3, 1])


def test_levels_table_has_the_means(report: Report) -> None:
    first, own = row_of(report, "1"), row_of(report, "none")
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


def test_protocols_table_has_every_protocol(measurement: Measurement) -> None:
    report = measurement.by_protocol
    table = protocols_table(report)
    assert table.splitlines()[0] == f"| reference | {' | '.join(f'`{name}`' for name in PROTOCOLS)} |"
    row = row_of(report, "1")
    psnr, ssim, *_ = row.model_mean(MMEDIT_RGB)
    shown = cells(table, "reference 1")[list(PROTOCOLS).index("mmedit-rgb")]
    assert shown == f"{psnr:.2f}, {ssim:.4f} ({row.gain(MMEDIT_RGB).psnr:+z.2f})"


def test_a_card_has_the_means_of_every_choice(report: Report) -> None:
    table = model_scores(report)
    mean = row_of(report, "all").model_mean(PAPER_Y)
    psnr, _, *others = cells(table, "all references")
    # The pictures are too small for NIQE.
    expected = [f"{mean.psnr:.2f}", f"{mean.ssim:.4f}", f"{mean.gmsd:.4f}", f"{mean.haarpsi:.4f}", "-"]
    assert [psnr, *others] == expected
    assert cells(table, "bicubic")[0] == f"{report.rows[0].bicubic_mean(PAPER_Y).psnr:.2f}"


def test_gains_counts_pictures(report: Report) -> None:
    each = sorted(picture.gain(PAPER_Y).psnr for picture in row_of(report, "1").pictures)
    sentence = gains(report, PAPER_Y)
    assert f"{sum(gain > 0 for gain in each)} of 3 pictures" in sentence
    assert all(f"{gain:+z.2f} dB" in sentence for gain in each)
