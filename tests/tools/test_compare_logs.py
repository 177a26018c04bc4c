"""Comparison of the logs of two runs."""

import json
from pathlib import Path

import compare_logs
import pytest


def write(path: Path, losses: list[float]) -> str:
    lines = [{"step": 10 * n, "rec": loss, "step_s": n} for n, loss in enumerate(losses, 1)]
    path.write_text("".join(json.dumps(line) + "\n" for line in [*lines, {"step": 10, "psnr": 3.0}]))
    return str(path)


def test_the_same_run_at_another_speed(tmp_path, capsys):
    logs = [write(tmp_path / "a", [0.5, 0.25]), write(tmp_path / "b", [0.5, 0.25, 0.2])]
    assert compare_logs.main(logs) == 0
    assert "2 lines up to step 20" in capsys.readouterr().out


@pytest.mark.parametrize("steps, code", [(10, 0), (20, 1)])
def test_runs_that_differ_after_ten_steps(tmp_path, capsys, steps, code):
    logs = [write(tmp_path / "a", [0.5, 0.25]), write(tmp_path / "b", [0.5, 0.24])]
    assert compare_logs.main([*logs, f"--steps={steps}"]) == code
    assert f"rec {'4.0e-02' if code else '0.0e+00'}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("text, complaint", [("{", "not a log"), ("[1]", "not a log"), ("", "no step in common")])
def test_unusable_logs(tmp_path, capsys, text, complaint):
    (tmp_path / "b").write_text(text)
    assert compare_logs.main([write(tmp_path / "a", [0.5]), str(tmp_path / "b")]) == 2
    assert complaint in capsys.readouterr().err
