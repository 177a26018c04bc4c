"""`ttsr upscale` of a folder on two processes, as torchrun or another launcher starts them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ttsr.cli import main
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.saving import save


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five pictures, one of them bad, and an untrained model beside them."""
    (tmp_path / "in" / "sub").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png", "sub/c.png", "sub/d.png"):
        Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).save(tmp_path / "in" / name)
    (tmp_path / "in" / "bad.png").write_bytes(b"no picture")
    torch.manual_seed(0)
    save(TTSR(TTSRConfig(4, (1, 1, 1, 1), (4, 4, 4))), tmp_path / "m.safetensors")
    return tmp_path


def by_torchrun(port: int, *arguments: str) -> "subprocess.CompletedProcess[str]":
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(port), "-m", "ttsr"]
    # The processes find out for themselves that there is no GPU.
    env = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run([sys.executable, *launch, *arguments], capture_output=True, text=True, timeout=300, env=env)


def test_two_processes_share_a_folder(folder: Path, free_port: int) -> None:
    model = ["--model", str(folder / "m.safetensors"), "--ref", str(folder / "in" / "a.png")]
    shared = ["upscale", str(folder / "in"), "-r", *model, "--skip-existing", "--json", "-o", str(folder / "two")]
    done = by_torchrun(free_port, *shared)
    # torchrun's own exit code, where its processes exit with 2.
    assert done.returncode == 1 and done.stderr.count("bad.png: not a picture that can be read") == 1
    assert "exitcode  : 2" in done.stderr
    *lines, run = (json.loads(line) for line in done.stdout.splitlines())
    names = ["a.png", "b.png", "bad.png", "sub/c.png", "sub/d.png"]
    assert sorted(line["input"] for line in lines) == [str(folder / "in" / name) for name in names]
    assert (run["type"], run["pictures"], run["skipped"], run["errors"]) == ("run", 4, 0, 1)

    assert main(["upscale", str(folder / "in"), "-r", *model, "--device", "cpu", "-o", str(folder / "one")]) == 2
    outputs = sorted(path.relative_to(folder / "one") for path in (folder / "one").rglob("*.png"))
    assert len(outputs) == 4
    for path in outputs:
        np.testing.assert_array_equal(Image.open(folder / "two" / path), Image.open(folder / "one" / path))


def test_an_interrupted_run_goes_on_and_errors_for_all_are_said_once(folder: Path, launch: Any) -> None:
    (folder / "in" / "bad.png").unlink()
    shared = ["upscale", str(folder / "in"), "-r", "--model", str(folder / "m.safetensors"), "--skip-existing"]
    (folder / "in_x4" / "sub").mkdir(parents=True)
    (folder / "in_x4" / "sub" / "c_x4.png").touch()
    codes, out, err = launch(2, *shared)
    assert codes == [0, 0], err
    assert err.count("3 upscaled, 1 skipped, 0 failed") == 1
    assert err.count("each picture serves as its own reference") == 1
    assert out.count("8x6 ->") == 3
    assert (folder / "in_x4" / "sub" / "c_x4.png").stat().st_size == 0

    codes, _, err = launch(2, *shared, "--ref", str(folder / "absent.png"))
    assert codes == [2, 2] and err.count("absent.png: there is no such file") == 1
