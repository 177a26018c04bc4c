"""Checkpoints that mean harm: each is refused in one line, in little time and memory, and runs nothing."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hostile_checkpoints import legacy, tensor_pickle, zipped

from ttsr.weights.pytorch_file import read_pytorch_file

FUZZ = Path(__file__).parents[2] / "fuzz"

# How each group may be refused: by the first of these whose name the case begins with.
REASONS = {
    "code: os.system": r"contains more than weights \(posix\.system\); refused for safety",
    "code: eval": r"contains more than weights \(builtins\.eval\); refused for safety",
    "code: subprocess": r"contains more than weights \(subprocess\.getoutput\); refused for safety",
    "code: getattr": r"contains more than weights \((builtins\.__import__|posix\.system)\); refused for safety",
    "code": r"contains more than weights \([\w.]+\); refused for safety|not written by PyTorch \(\w+\)",
    "greedy: key": "contains a key that is neither a text nor a number",
    "greedy: number": "contains a key that is neither a text nor a number",
    "greedy: many objects": "contains far more objects than weights have",
    "greedy: torch.Tensor": r"contains more than weights \(torch\.Tensor\); refused for safety",
    "greedy": "contains no state dict|not a checkpoint, or damaged|not a plain state dict",
    "tensors": r"its tensors declare (other sizes|far more values) than the file contains|contains a \w+ of "
    r"(negative|an impossible) size|contains a tensor of \d+ dimensions|not a checkpoint, or damaged",
    "archive: bomb": "unpacks to far more than its size; refused for safety",
    "archive: TorchScript": "a TorchScript program, not weights: save its state dict",
    "archive: tar": r"a tar file of PyTorch before 0\.1\.10: load it there",
    "archive: number of members": "not a TTSR checkpoint",  # which no reader goes by
    "archive": "not a checkpoint|unpacks to far more",
    "safetensors: a thousand dimensions": "not a complete TTSR",
    "safetensors: n": "not a safetensors file, or damaged or truncated|not a TTSR checkpoint",
    "safetensors": "not a safetensors file, or damaged or truncated",
    "network: NaN": r"values that are not finite floats .* in synthesis\.chain1\.tail\.weight",
    "network: infinite scale": r"its metadata is damaged \(res_scale must be positive and finite",
    "network: infinite": r"values that are not finite floats .* in synthesis\.chain1\.tail\.weight",
    "network: integers": r"values that are not finite floats .* in synthesis\.chain1\.tail\.weight",
    "network: no values": r"of the wrong shape synthesis\.chain1\.tail\.weight 0x4x3x3",
    "network: 1e": r"its metadata is damaged \(a TTSR of these sizes would have more than a billion parameters",
    "network: 20,000 blocks": "a TTSR of these sizes would have .* thousands of blocks",
    "network: run with": "not a checkpoint of a run, or damaged",
    "network: escape sequences": r"unknown synthesis\.\\x1b\[2J\\n\\x07more",
    "network": "its metadata is damaged",
}


@pytest.fixture(scope="module")
def outcomes() -> list[dict[str, Any]]:
    """What came of each in a process of its own, whose memory and time are limited."""
    command = [sys.executable, FUZZ / "refuse_checkpoints.py", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_each_is_refused_by_name(outcomes: list[dict[str, Any]]) -> None:
    assert len(outcomes) > 150
    assert [outcome for outcome in outcomes if not outcome["refused"]] == []
    unlike = []
    for outcome in outcomes:
        case = outcome["case"].removeprefix("legacy ")
        reason = next(reason for name, reason in REASONS.items() if case.startswith(name))
        if not re.match(f".*({reason})", outcome["refusal"]) or len(outcome["refusal"]) > 600:
            unlike.append((outcome["case"], outcome["refusal"], reason))
    assert unlike == []


def test_each_takes_little_time_and_memory(outcomes: list[dict[str, Any]]) -> None:
    assert max(outcome["seconds"] for outcome in outcomes) < 10  # of the CPU, not of the clock
    assert max(outcome["bytes"] for outcome in outcomes) < 150 * 2**20


def test_the_same_pickles_are_read_where_they_tell_the_truth(tmp_path: Path) -> None:
    pickled, data = tensor_pickle((2, 3), (3, 1), 6), torch.arange(6.0)
    contents = {
        "zip": zipped(pickled, **{"data/0": data.numpy().tobytes()}),
        "old": legacy(pickled, (6).to_bytes(8, "little") + data.numpy().tobytes(), ("0",)),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        assert torch.equal(read_pytorch_file(tmp_path / name)["a"], data.view(2, 3))
