"""Every command in the tables of docs/coming-from-mmagic.md, run as written, on small data with a small network.

But for the number of processes: two stand for eight.
"""

import hashlib
import os
import re
import shlex
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ttsr.cli import main
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.training.recipe_text import field_descriptions
from ttsr.weights.saving import save

PAGE = Path(__file__).parents[2] / "docs" / "coming-from-mmagic.md"
COMMANDS = re.findall(r"\| `((?:ttsr|torchrun|srun) [^`]*)` \|$", PAGE.read_text(), flags=re.MULTILINE)
PUBLISHED = re.compile(r"https://\S+\.pth|mmagic/ttsr-(gan|rec)")

SMALL = [
    *("--model.channels", "4", "--model.num_blocks", "[1, 1, 1, 1]", "--model.extractor_channels", "[4, 4, 4]"),
    *("--extractor.start", "random", "--losses.perceptual_features", "extractor", "--discriminator.channels", "2"),
    *("--cufed.hr_size", "32", "--cufed.ref_size", "32", "--schedule.steps", "2", "--schedule.pixel_steps", "1"),
]
SRUN = f"""#!{sys.executable} -IS
# Starts the tasks of a job step as Slurm's srun does, on this machine.
import os, subprocess, sys
words = sys.argv[1:]
tasks = int(words[words.index("--ntasks") + 1])
command = words[words.index("ttsr"):]
world = {{"SLURM_NTASKS": str(tasks), "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": str(tasks), "SLURM_NNODES": "1"}}
world |= {{"SLURM_JOB_ID": os.environ["FAKE_JOB"], "SLURM_LAUNCH_NODE_IPADDR": "127.0.0.1"}}
world |= {{"SLURM_NODELIST": "localhost", "SLURM_JOB_NODELIST": "localhost", "SLURM_STEP_NODELIST": "localhost"}}
world |= {{"SLURM_STEP_TASKS_PER_NODE": str(tasks), "SLURM_TASKS_PER_NODE": str(tasks)}}
ranks = [{{"SLURM_PROCID": str(n), "SLURM_LOCALID": str(n), "SLURM_NODEID": "0"}} for n in range(tasks)]
processes = [subprocess.Popen(command, env={{**os.environ, **world, **rank}}) for rank in ranks]
sys.exit(max(process.wait() for process in processes))
"""


def picture(side: int, seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (side // 4, side // 4, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((side, side))


def executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the commands name: data, weights, pictures and the launchers."""
    folder = tmp_path_factory.mktemp("workspace")
    for part in ("CUFED/input", "CUFED/ref", "CUFED/CUFED5", "test/demo/lr", "test/demo/ref", "bin", "weights"):
        (folder / part).mkdir(parents=True)
    for number in range(4):
        for side in ("input", "ref"):
            picture(40, number).save(folder / "CUFED" / side / f"{number}.png")
    for name in ("000_0", "000_1", "001_0", "001_1"):
        picture(48, int(name[2])).save(folder / "CUFED/CUFED5" / f"{name}.png")
    for name in ("lr", "test/demo/lr/0"):
        picture(16, 1).save(folder / f"{name}.png")
    for name in ("ref", "test/demo/ref/0"):
        picture(64, 1).save(folder / f"{name}.png")
    torch.manual_seed(0)
    file = folder / "small.safetensors"
    save(TTSR(TTSRConfig(4, (1, 1, 1, 1), (4, 4, 4))), file)
    for name in ("rec.pth", "TTSR.pt"):
        assert main(["convert", str(file), str(folder / name)]) == 0
    digits = hashlib.sha256((folder / "rec.pth").read_bytes()).hexdigest()[:8]
    (folder / "weights" / f"ttsr-gan-{digits}.pth").write_bytes((folder / "rec.pth").read_bytes())
    trained = folder / "work_dirs/rec/ttsr-rec_x4c64b16_1xb9-200k_CUFED.safetensors"
    trained.parent.mkdir(parents=True)
    file.replace(trained)
    for name, module in (("ttsr", "ttsr"), ("torchrun", "torch.distributed.run")):
        executable(folder / "bin" / name, f'#!/bin/sh\nexec "$FORKED_PYTHON" -m {module} "$@"\n')
    executable(folder / "bin/srun", SRUN)
    return folder


@pytest.fixture(scope="module")
def url(workspace: Path) -> Iterator[str]:
    """Where the published weights are downloaded from."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None: ...

    (file,) = (workspace / "weights").iterdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(file.parent)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/{file.name}"
    server.shutdown()
    server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_page_has_every_command() -> None:
    assert len(COMMANDS) == 18
    assert sum(command.startswith("torchrun --nproc-per-node 8") for command in COMMANDS) == 2
    assert sum(command.startswith("srun") for command in COMMANDS) == 2


def test_the_fields_of_the_page_exist() -> None:
    settings = PAGE.read_text().partition("## Settings")[2].partition("## ")[0]
    ours = [line.split("|")[2] for line in settings.splitlines() if line.startswith(("| `--", "| (none)"))]
    named = {name for cell in ours for name in re.findall(r"`([a-z][a-z_.]*)`", cell)}
    assert len(named) > 25
    assert named <= {*field_descriptions()}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_runs(
    command: str, workspace: Path, url: str, forking: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Path(shutil.copytree(workspace, tmp_path / "workspace"))
    monkeypatch.chdir(workspace)
    monkeypatch.setenv("TTSR_CACHE", str(tmp_path / "cache"))
    words = shlex.split(re.sub(r"(--nproc-per-node|--ntasks) 8\b", r"\1 2", PUBLISHED.sub(url, command)))
    trains = " train ttsr-" in command
    if trains:
        words += SMALL
    defaults = {"--device": "cpu"} | ({"--batch_size": "2", "--workers": "0", "--out": "run"} if trains else {})
    for option, value in defaults.items():
        words += [] if option in words else [option, value]
    if words[0] == "ttsr":
        assert main(words[1:]) == 0
    else:
        port = str(free_port())
        if words[0] == "torchrun":
            words[1:1] = ["--master-port", port]
        path = f"{workspace / 'bin'}{os.pathsep}{os.environ['PATH']}"
        environment = forking.environment | {"PATH": path, "FAKE_JOB": port, "TTSR_CACHE": str(tmp_path / "cache")}
        done = subprocess.run(words, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
    if trains:
        assert "step: 2" in (workspace / words[words.index("--out") + 1] / "log.jsonl").read_text().replace('"', "")
    for option in ("-o", "--json"):
        if option in words:
            assert (workspace / words[words.index(option) + 1]).exists()
    if "--save" in words:
        assert [path.name for path in sorted((workspace / "eval/CUFED/TTSR").rglob("*.png"))] == ["000.png", "001.png"]
