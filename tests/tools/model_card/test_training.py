"""The runs behind a model and their mean losses, and the list of photographs it was trained on."""

import json
from pathlib import Path

import pytest
from model_card.training import LOGS, data_table, mean_losses, read_runs, runs_chart, runs_table

from ttsr.errors import DataError


def write_log(file: Path, losses: list[float]) -> None:
    lines = [{"step": 20 * n, "seconds": 2.0 * n, "rec": loss} for n, loss in enumerate(losses, 1)]
    lines[0].pop("rec")  # as in a contrastive start
    file.write_text("".join(json.dumps(line) + "\n" for line in [*lines, {"step": 20 * len(losses), "psnr": 30.0}]))


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    write_log(tmp_path / "a.jsonl", [9.0, *[0.08] * 20, *[0.06] * 25])
    write_log(tmp_path / "a-2.jsonl", [9.0, *[0.05] * 30])
    write_log(tmp_path / "a-4.jsonl", [9.0, 0.01])
    return tmp_path


def test_runs_are_read_up_to_the_first_missing_number(logs: Path) -> None:
    first, second = read_runs(logs, "a")
    assert (first.steps, first.seconds, len(first.losses)) == (920, 92.0, 45)
    assert (second.steps, second.losses[0]) == (620, (40, 0.05))


def test_means_are_over_twenty_lines_and_steps_over_all_runs(logs: Path) -> None:
    first, second = mean_losses(read_runs(logs, "a"))
    # Lines 1 to 20 are steps 40 to 420; the other 25 lines of the first run make one mean, 460 to 940.
    assert first == [(230, pytest.approx(0.08)), (680, pytest.approx(0.06))]
    assert second == [(920 + 330, pytest.approx(0.05))]


def test_each_run_is_a_row_with_its_log(logs: Path) -> None:
    rows = runs_table(read_runs(logs, "a")).splitlines()[2:]
    assert [row.split("|")[1:4] for row in rows] == [[" 1 ", " 920 ", " 0 h 02 min "], [" 2 ", " 620 ", " 0 h 01 min "]]
    assert "[a.jsonl](" in rows[0] and "[a-2.jsonl](" in rows[1]


def test_logs_of_the_published_weights_are_linked_and_drawn() -> None:
    runs = read_runs(LOGS, "ttsr-lite")
    assert [run.steps for run in runs] == [5200, 4500, 2180, 4500]
    docs = LOGS.parents[2] / "docs"
    for run, row in zip(runs, runs_table(runs).splitlines()[2:], strict=True):
        link = row.partition("](")[2].partition(")")[0]
        assert (docs / link).resolve() == run.file
    # The committed chart is drawn from these logs, and drawing it again gives the same bytes.
    assert (docs / "images" / "cards" / "ttsr-lite-loss.svg").read_text("utf-8") == runs_chart("ttsr-lite", runs)


def test_no_runs_and_no_log(tmp_path: Path) -> None:
    assert read_runs(tmp_path, "a") == []
    (tmp_path / "a.jsonl").write_text("{}")
    with pytest.raises(DataError, match=r"a\.jsonl: not a log"):
        read_runs(tmp_path, "a")


def test_open_photos_by_source_and_licence(tmp_path: Path) -> None:
    lines = [
        "file,source,licence,open",
        "1.jpg,small,CC0,yes",
        "2.jpg,large,MIT,yes",
        "3.jpg,large,CC|BY,yes",
        "4.jpg,large,CC|BY,yes",
        "5.jpg,closed,none stated,no",
    ]
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    table = data_table(tmp_path).splitlines()
    assert table[0].startswith("4 photographs")
    assert table[4:] == [r"| large | 2 | CC\|BY |", "| large | 1 | MIT |", "| small | 1 | CC0 |"]


def test_a_licence_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("file,source,licence,open\n1.jpg,small,,yes\n")
    with pytest.raises(DataError, match=r"manifest\.csv: no licence for 1\.jpg"):
        data_table(tmp_path)


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no manifest\.csv"):
        data_table(tmp_path)
