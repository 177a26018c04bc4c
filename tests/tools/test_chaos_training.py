"""A training run that is killed at random moments: a short version of `make chaos`, and what its comparison sees."""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from compare_runs import differences
from safetensors.torch import save_file

TOOL = Path(__file__).parents[2] / "tools" / "chaos_training.py"


def test_a_run_that_is_killed_ends_as_one_that_is_not() -> None:
    """Once at the change of the stages, and twice at other moments."""
    command = [sys.executable, TOOL, "--kills=3", "--steps=12", "--cold=0", "--workers=1", "--precision=bf16"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 kills in 12 steps (bf16, 1 processes, 1 workers): the end, " in done.stdout
    assert done.stdout.rstrip().endswith("best weights and logs, is the same to the last bit as that without kills")


def results(folder: Path, value: float, loss: float) -> Path:
    """A folder as of a run, of one weight and one line."""
    (folder / "checkpoints").mkdir(parents=True)
    state = {"model": {"weight": torch.tensor([value])}, "seconds": loss}
    torch.save(state, folder / "checkpoints" / "step-00000001.pt")
    save_file(state["model"], folder / "run.safetensors", {"recipe": "r"})
    (folder / "log.jsonl").write_text(json.dumps({"step": 1, "rec": loss, "seconds": value}) + "\n")
    return folder


def test_the_last_bit_of_a_weight_and_a_lost_file_are_seen(tmp_path: Path) -> None:
    whole, next_value = (
        results(tmp_path / "whole", 1.0, 0.5),
        float(torch.nextafter(torch.tensor(1.0), torch.tensor(2.0))),
    )
    assert differences(results(tmp_path / "same", 1.0, 0.5), whole) == []
    assert differences(results(tmp_path / "weight", next_value, 0.5), whole) == [
        "checkpoints/step-00000001.pt: /model/weight",
        "run.safetensors",
    ]
    lossy = results(tmp_path / "line", 1.0, 0.25)
    (lossy / "checkpoints" / ".ttsr-0.pt").touch()
    assert differences(lossy, whole) == ["files: ['checkpoints/.ttsr-0.pt']", "log.jsonl"]
