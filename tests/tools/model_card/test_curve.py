"""The loss curve of a model's runs."""

import json
import re
from pathlib import Path

import pytest
from model_card.curve import loss_curve, read_runs

from ttsr.errors import DataError


def write(file: Path, losses: list[float]) -> None:
    lines = [{"step": 20 * n, "seconds": 2.0 * n, "rec": loss} for n, loss in enumerate(losses, 1)]
    lines[0].pop("rec")  # as in a contrastive start
    file.write_text("".join(json.dumps(line) + "\n" for line in [*lines, {"step": 20 * len(losses), "psnr": 30.0}]))


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    write(tmp_path / "a.jsonl", [9.0, *[0.08] * 20, *[0.06] * 25])
    write(tmp_path / "a-2.jsonl", [9.0, *[0.05] * 30])
    write(tmp_path / "a-4.jsonl", [9.0, 0.01])
    return tmp_path


def test_runs_follow_one_another_without_a_gap(logs: Path) -> None:
    first, second = read_runs(logs, "a")
    assert (first.steps, first.seconds, len(first.losses)) == (920, 92.0, 45)
    assert (second.steps, second.losses[0]) == (620, (40, 0.05))


def test_points_are_means_of_twenty_lines(logs: Path) -> None:
    svg = loss_curve("a", read_runs(logs, "a"))
    first, second = (re.findall(r"([\d.]+),([\d.]+)", path) for path in re.findall(r'points="([^"]*)"', svg))
    assert [y for _, y in first] == ["34.0", "214.0"] and [y for _, y in second] == ["304.0"]
    # Lines 1 to 20 are steps 40 to 420 of 1540 in all.
    assert first[0][0] == f"{66 + 230 / 1540 * 630:.1f}"
    assert svg.count("stroke-dasharray") == 1


def test_no_runs_and_no_log(tmp_path: Path) -> None:
    assert read_runs(tmp_path, "a") == []
    (tmp_path / "a.jsonl").write_text("{}")
    with pytest.raises(DataError, match=r"a\.jsonl: no log"):
        read_runs(tmp_path, "a")
