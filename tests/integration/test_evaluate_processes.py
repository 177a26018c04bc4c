"""`ttsr evaluate` on two processes, as torchrun starts them."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from ttsr.cli import main
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.saving import save

PAIRS = Path(__file__).parents[2] / "examples" / "pairs"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three small details of the pairs that ship, and an untrained model beside them."""
    data = tmp_path / "set"
    data.mkdir()
    for number, (pair, left) in enumerate([("aloe", 150), ("leuven", 200), ("aloe", 60)]):
        for kind, name in (("hr", f"{number:03d}_0.png"), ("ref", f"{number:03d}_1.png")):
            with Image.open(PAIRS / f"{pair}_{kind}.png") as picture:
                picture.crop((left, 60, left + 48, 100)).save(data / name)
    torch.manual_seed(0)
    save(TTSR(TTSRConfig(4, (1, 1, 1, 1), (4, 4, 4), bicubic_skip=True)), tmp_path / "m.safetensors")
    return data


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def without_times(report: dict[str, Any]) -> dict[str, Any]:
    for row in report["rows"]:
        for picture in row["pictures"]:
            del picture["seconds"], picture["cpu_seconds"]
    return report


def test_two_processes_find_what_one_does(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = folder.parent / "one", folder.parent / "two"
    options = ["evaluate", str(folder), "--model", str(folder.parent / "m.safetensors")]
    options += ["--reference", "1", "--reference", "none"]
    assert main([*options, "--device", "cpu", "--json", f"{one}.json", "--html", f"{one}.html"]) == 0
    printed = capsys.readouterr().out
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(free_port()), "-m", "ttsr"]
    done = subprocess.run(
        [sys.executable, *launch, *options, "--json", f"{two}.json", "--html", f"{two}.html"],
        capture_output=True,
        text=True,
        timeout=300,
        # The processes find out for themselves that there is no GPU.
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "COLUMNS": "80"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("paper-y") == printed.count("paper-y") == 1
    reports = [without_times(json.loads(Path(f"{path}.json").read_text())) for path in (one, two)]
    assert reports[0] == reports[1]
    assert [picture["name"] for picture in reports[1]["rows"][0]["pictures"]] == ["000", "001", "002"]
    assert Path(f"{one}.html").read_text() == Path(f"{two}.html").read_text()
