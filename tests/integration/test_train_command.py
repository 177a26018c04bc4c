"""`ttsr train` as a whole command."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ttsr
from ttsr.cli.train import parse_time
from ttsr.errors import RecipeError
from ttsr.training.checkpoint import read_checkpoint
from ttsr.weights.saving import read_metadata


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ttsr", "train", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_train_stop_resume_and_use(photos, tmp_path):
    folder = tmp_path / "run"
    stopped = run("debug", "--data", photos, "--out", folder, "--max-time", "0")
    assert stopped.returncode == 3, stopped.stderr
    assert "step 1 of 20" in stopped.stdout and "--resume" in stopped.stdout
    again = run("debug", "--data", photos, "--out", folder)
    assert again.returncode == 2 and "holds a run already" in again.stderr
    done = run("debug", "--data", photos, "--out", folder, "--resume")
    assert done.returncode == 0, done.stderr
    assert "step 20 of 20" in done.stdout and "finished" in done.stdout
    steps = [json.loads(line)["step"] for line in (folder / "log.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 21))
    file = folder / "debug.safetensors"
    assert ttsr.load(file).config.channels == 8
    assert "name: debug" in read_metadata(file).provenance.recipe
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoint.pt",
        "debug.safetensors",
        "log.jsonl",
        "recipe.yaml",
    ]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_stops_it_well(photos, tmp_path, how):
    """As a terminal's Ctrl-C or a job scheduler sends it: to the workers too."""
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "ttsr", "train", "debug", "--data", photos, "--out", folder, "--steps", "100000"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    while not (folder / "checkpoint.pt").exists():
        assert child.poll() is None
        time.sleep(0.1)
    os.killpg(child.pid, how)
    told, _ = child.communicate()
    assert child.returncode == 3 and "go on with --resume" in told
    logged = [json.loads(line)["step"] for line in (folder / "log.jsonl").read_text().splitlines()]
    assert read_checkpoint(folder)["step"] == logged[-1]


@pytest.mark.parametrize(
    "arguments, word",
    [
        (("nothing",), "no such recipe"),
        (("debug", "--max-time", "soon"), "--max-time soon: write it as"),
        (("debug", "--steps", "0"), "--steps 0"),
        (("debug", "--workers", "-1"), "--workers -1"),
        (("debug", "--resume"), "nothing to resume"),
    ],
)
def test_bad_arguments_get_one_line(photos, tmp_path, arguments, word):
    answer = run(*arguments, "--data", photos, "--out", tmp_path / "run")
    assert answer.returncode == 2
    assert word in answer.stderr and answer.stderr.count("\n") == 1


def test_a_corrupt_picture_met_by_a_worker_gets_one_line(photos, tmp_path):
    for side in ("input", "ref"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    answer = run("ttsr-lite_CUFED", "--data", tmp_path, "--out", tmp_path / "run", "--workers", "1")
    assert answer.returncode == 2
    assert "a.png" in answer.stderr and answer.stderr.count("\n") == 1, answer.stderr


def test_times():
    assert [parse_time(text) for text in ("90", "1:30", "01:00:30", "0.5")] == [90, 90, 3630, 0.5]
    for text in ("", "1:", "x", "1:2:3:4", "-3"):
        with pytest.raises(RecipeError):
            parse_time(text)
