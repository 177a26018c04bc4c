"""`ttsr train` on several processes: a batch for each, tasks of Slurm, and one writer to a run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ttsr.cli import main
from ttsr.system.folder_lock import lock_folder
from ttsr.training.checkpoint import read_checkpoint

ROOT = Path(__file__).parents[2]
SMALL = ["debug", "--device", "cpu", "--losses.contrastive_group=1", "--workers=0"]

# Stands for Slurm's: starts the tasks of a step with the variables that the manual of srun lists, and ends with the
# highest of their exit codes.
SRUN = f"""#!{sys.executable} -IS
import os, subprocess, sys

command = sys.argv[1:]
while command[0].startswith("--"):
    command.pop(0)
tasks = int(os.environ["SLURM_NTASKS"])
step = {{"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": str(tasks), "SLURM_STEP_TASKS_PER_NODE": str(tasks)}}
children = []
for task in range(tasks):
    own = {{"SLURM_PROCID": str(task), "SLURM_LOCALID": str(task), "SLURM_NODEID": "0"}}
    children.append(subprocess.Popen(command, env=os.environ | step | own))
sys.exit(max(child.wait() for child in children))
"""
SCONTROL = """#!/bin/sh
echo "$@" >> "$REQUEUED"
"""


def losses(folder: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    left_out = ("seconds", "step_s", "gradient")
    return [{name: value for name, value in line.items() if name not in left_out} for line in lines]


def test_a_batch_per_process_is_that_many_times_larger(photos, tmp_path, capsys, launch, one_thread):
    """Two processes with a pair each take the steps of one with two, and go on as one if they may."""
    steps = ["--schedule.steps=3", "--schedule.contrastive_steps=1"]
    places = ["--data", str(photos), "--out"]
    assert main(["train", *SMALL, *steps, "--batch_size=2", *places, str(tmp_path / "one")]) == 0
    per_process = [*SMALL, "--batch_size=1", "--batch_per=process", *places, str(tmp_path / "two")]
    two = launch(2, "train", *per_process, *steps)
    assert two.codes == [0, 0], two.stderr
    assert "debug: starts, 2 pairs a step = 2 processes x 1 (batch_per: process)" in two.stdout
    for line, expected in zip(losses(tmp_path / "two"), losses(tmp_path / "one"), strict=True):
        assert line == pytest.approx(expected, rel=1e-4, abs=1e-5)
    longer = [*per_process, "--schedule.steps=4", "--schedule.contrastive_steps=1", "--resume"]
    capsys.readouterr()
    assert main(["train", *longer]) == 2
    assert "pairs in a step of all processes: 2 -> 1" in capsys.readouterr().err
    assert main(["train", *longer, "--accept-changes"]) == 0
    state = read_checkpoint(tmp_path / "two")
    assert (state["step"], state["pairs"], state["batch"]) == (4, 2 * 3 + 1, 1)


def test_the_example_of_slurm_trains_once_and_is_queued_until_it_is_finished(photos, tmp_path, forking):
    """Two tasks are one run, not two in one folder."""
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    job = {
        "PYTHON": forking.python,
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "REQUEUED": str(tmp_path / "requeued"),
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_NTASKS": "2",
        "SLURM_TASKS_PER_NODE": "2",
        "SLURM_JOB_NODELIST": "node[01-02]",
    }
    script = ["bash", str(ROOT / "examples" / "train.sbatch"), *SMALL, "--schedule.steps=3", "--data", str(photos)]
    script += ["--out", str(tmp_path / "run")]

    def submit(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*script, *more], capture_output=True, text=True, env=forking.environment | job)

    begun = submit("--max-time=0")
    assert begun.returncode == 3, begun.stderr
    assert begun.stdout.count("debug: starts, 2 pairs a step = 2 processes x 1 (batch_per: run)") == 1
    assert (tmp_path / "requeued").read_text() == f"requeue {os.getpid()}\n"
    done = submit()
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("debug: continues after step 1") == done.stdout.count("finished") == 1
    assert [line["step"] for line in losses(tmp_path / "run")] == [1, 2, 3]
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert [part["processes"] for part in environment] == [2, 2]
    assert (tmp_path / "requeued").read_text().count("requeue") == 1


def test_a_folder_that_another_run_writes_to_is_refused_in_one_line(photos, tmp_path, launch):
    with lock_folder(tmp_path / "run"):
        arguments = [*SMALL, "--data", str(photos), "--out", str(tmp_path / "run"), "--resume"]
        second = launch(1, "train", *arguments)
        files = [path.name for path in (tmp_path / "run").iterdir()]
    assert second.codes == [2] and second.stderr.count("\n") == 1
    assert f"ttsr: {tmp_path / 'run'}: another run is writing here (process {os.getpid()} on " in second.stderr
    assert files == [".lock"]
