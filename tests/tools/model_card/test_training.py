"""The stages behind a model and their mean losses, and the list of photographs it was trained on."""

import json
from pathlib import Path

import pytest
from model_card.training import LOGS, data_table, mean_losses, read_stages, stages_chart, stages_table

from ttsr.errors import DataError


def write_log(file: Path, losses: list[float]) -> None:
    file.parent.mkdir(exist_ok=True)
    lines = [{"step": 20 * n, "seconds": 2.0 * n, "rec": loss} for n, loss in enumerate(losses, 1)]
    lines[0].pop("rec")  # as while the extractor is trained alone
    file.write_text("".join(json.dumps(line) + "\n" for line in [*lines, {"step": 20 * len(losses), "psnr": 30.0}]))


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    write_log(tmp_path / "a" / "10-all.jsonl", [9.0, *[0.05] * 30])
    write_log(tmp_path / "a" / "1-trunk.jsonl", [9.0, *[0.08] * 20, *[0.06] * 25])
    write_log(tmp_path / "a" / "2-extractor.jsonl", [9.0])
    write_log(tmp_path / "b" / "1-all.jsonl", [9.0, 0.01])
    return tmp_path


def test_stages_are_read_in_the_order_of_their_numbers(logs: Path) -> None:
    first, second, third = read_stages(logs, "a")
    assert [stage.name for stage in (first, second, third)] == ["trunk", "extractor", "all"]
    assert (first.steps, first.seconds, len(first.losses)) == (920, 92.0, 45)
    assert (second.steps, second.losses) == (20, [])
    assert (third.steps, third.losses[0]) == (620, (4.0, 0.05))


def test_means_are_over_four_lines_and_hours_over_all_stages(tmp_path: Path) -> None:
    write_log(tmp_path / "a" / "1-trunk.jsonl", [9.0, *[0.08] * 4, *[0.06] * 5])
    write_log(tmp_path / "a" / "2-extractor.jsonl", [9.0])
    write_log(tmp_path / "a" / "3-all.jsonl", [9.0, *[0.05] * 6])
    first, second, third = mean_losses(read_stages(tmp_path, "a"))
    # Lines 1 to 4 are of seconds 4 to 10; the other 5 lines of the first stage make one mean, 12 to 20.
    assert first == [pytest.approx((7 / 3600, 0.08)), pytest.approx((16 / 3600, 0.06))]
    assert second == []
    assert third == [pytest.approx(((20 + 2 + 9) / 3600, 0.05))]


def test_each_stage_is_a_row_with_its_log(logs: Path) -> None:
    rows = stages_table(read_stages(logs, "a")).splitlines()[2:]
    assert [row.split("|")[1:4] for row in rows] == [
        [" 1. trunk ", " 920 ", " 0 h 02 min "],
        [" 2. extractor ", " 20 ", " 0 h 00 min "],
        [" 10. all ", " 620 ", " 0 h 01 min "],
        [" all ", " 1560 ", " 0 h 03 min "],
    ]
    assert "[1-trunk.jsonl](" in rows[0] and "a/10-all.jsonl)" in rows[2]


@pytest.mark.parametrize("model", [folder.name for folder in sorted(LOGS.iterdir())])
def test_logs_of_the_published_weights_are_linked_and_drawn(model: str) -> None:
    stages = read_stages(LOGS, model)
    docs = LOGS.parents[2] / "docs"
    card = (docs / "models.md").read_text("utf-8")
    assert stages_table(stages) in card
    for stage, row in zip(stages, stages_table(stages).splitlines()[2:-1], strict=True):
        link = row.partition("](")[2].partition(")")[0]
        assert (docs / link).resolve() == stage.file
    # The committed chart is drawn from these logs, and drawing it again gives the same bytes.
    assert (docs / "images" / "cards" / f"{model}-loss.svg").read_text("utf-8") == stages_chart(model, stages)


def test_no_logs_and_no_log(tmp_path: Path) -> None:
    assert read_stages(tmp_path, "a") == []
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1-trunk.jsonl").write_text("{}")
    with pytest.raises(DataError, match=r"1-trunk\.jsonl: not a log"):
        read_stages(tmp_path, "a")
    (tmp_path / "a" / "trunk.jsonl").write_text("{}")
    with pytest.raises(DataError, match=r"trunk\.jsonl: is not named after a stage"):
        read_stages(tmp_path, "a")


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
