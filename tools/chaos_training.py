"""Kill a training run again and again, at random moments, and compare its end with that of a run that was left alone.

    python tools/chaos_training.py --kills 50 --steps 300

The run is `ttsr train RECIPE --resume` in processes of its own: two stages of a tiny network, the second with a
discriminator, with validations, checkpoints every other step and other processes that make the pairs. SIGKILL comes

- at start-up, before the first step of a restart;
- between and within steps;
- while a checkpoint is written, as soon as its temporary file is seen;
- during a validation;
- at the change of the stages;
- to a process that makes training pairs, which the run must survive;
- with several processes to one of them alone, after which the others must end by themselves.

The command is started anew, and in between, to save the seconds that PyTorch needs, as a fork of a process that has
imported it. Every second kill is of the main process alone, the others are of its whole process group. At the end,
weights, best weights, averages, optimizers and logs of both runs must be the same to the last bit, and the folders must
hold the same files. The exit code is 1 if they are not.
"""

import argparse
import gc
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import accelerate  # noqa: F401
import numpy as np
import psutil
import torch
import torch.utils.tensorboard
from compare_runs import differences, tensors
from PIL import Image

import ttsr.evaluation.scoring
import ttsr.training.loop
from ttsr.cli import main as ttsr
from ttsr.system.files import TEMPORARY

RECIPE = """
name: chaos
base: debug
model: {trunk_channels: 4}
losses: {base: 0.5, contrastive_group: 1}
extractor: {start: random}
checkpoint_steps: 2
log_steps: 3
validation_steps: VALIDATED
stages:
- name: trunk
  trains: trunk
  seed: 1
  schedule: {contrastive_steps: 0, steps: TRUNK}
- name: gan
  seed: 2
  schedule: {contrastive_steps: 0, steps: GAN, pixel_steps: 4}
  losses: {transferal: 1.0e-2, adversarial: 1.0e-3, adversarial_kind: rsgan}
  discriminator: {kind: patch, channels: 4, steps: 1}
"""
VALIDATED = 20
"""Steps between validations."""

HALF_WRITTEN = "(of these with a checkpoint left half-written)"

GRACE_S = 30
"""What the other processes have to end by themselves when one is lost."""

WITHIN_S = 300
"""A run that neither moves on nor ends in this time hangs."""


class Run:
    """A training run in a folder, whose processes are started and killed.

    Args:
        work: holds the recipe, the photos and the test set.
        folder: of the run.
        options: of the command line.
        processes: of the run.
    """

    def __init__(self, work: Path, folder: Path, options: list[str], processes: int) -> None:
        self.folder, self.processes, self._told = folder, processes, work / f"{folder.name}.txt"
        places = ["--data", str(work / "photos"), "--validate", str(work / "test"), "--out", str(folder)]
        self._arguments = ["train", str(work / "recipe.yaml"), *options, *places, "--resume", "--device", "cpu"]
        self.ranks: list[int] = []

    def start(self, *, cold: bool) -> None:
        """Start it, or go on, in a process group for each process."""
        port = free_port()
        world = {"WORLD_SIZE": str(self.processes), "LOCAL_WORLD_SIZE": str(self.processes)}
        world |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        world |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        self._told.write_text("")
        self.ranks = []
        for rank in range(self.processes):
            child = os.fork()
            if child == 0:
                self._become(os.environ | world | {"RANK": str(rank), "LOCAL_RANK": str(rank)}, cold=cold)
            self.ranks.append(child)

    def _become(self, environment: dict[str, str], *, cold: bool) -> None:
        code = 70
        try:
            os.setsid()
            for stream, path in ((0, os.devnull), (1, os.devnull), (2, str(self._told))):
                os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND), stream)
            if cold:
                os.execve(sys.executable, [sys.executable, "-m", "ttsr", *self._arguments], environment)
            os.environ.update(environment)
            code = ttsr(self._arguments)
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 70
        finally:
            os._exit(code)

    def step(self) -> int:
        """Steps that the checkpoints hold, of all stages."""
        newest = 0
        for stage in sorted(self.folder.glob("[0-9]-*")):
            with suppress(ValueError):
                newest += max(int(path.stem[5:]) for path in (stage / "checkpoints").glob("step-*.pt"))
        return newest

    def kill(self, *, group: bool, ranks: int | None = None) -> None:
        """Kill the processes, or the first few of them, with those that they have started or without."""
        for rank in self.ranks[:ranks]:
            with suppress(ProcessLookupError):
                os.killpg(rank, signal.SIGKILL) if group else os.kill(rank, signal.SIGKILL)

    def kill_worker(self) -> bool:
        """Kill a process that makes pairs; False where there is none."""
        with suppress(psutil.Error):
            for child in psutil.Process(self.ranks[0]).children():
                child.kill()
                return True
        return False

    def running(self) -> list[int]:
        """The processes that have not ended."""
        options = os.WEXITED | os.WNOWAIT | os.WNOHANG
        return [rank for rank in self.ranks if os.waitid(os.P_PID, rank, options) is None]

    def wait(self, until: Callable[[], object] = lambda: False) -> list[int]:
        """Wait for a condition, or the end of the processes, whose exit codes are returned."""
        began, last, alone, ending = time.monotonic(), self.step(), 0.0, signal.SIGTERM
        while not until():
            running = self.running()
            if not running:
                return [os.waitstatus_to_exitcode(os.waitpid(rank, 0)[1]) for rank in self.ranks]
            if len(running) == self.processes:
                alone = time.monotonic()
            elif time.monotonic() - alone > GRACE_S:  # what waits for the lost one at its start, a launcher would end
                for rank in running:
                    os.kill(rank, ending)
                alone, ending = time.monotonic(), signal.SIGKILL
            if self.step() != last:
                began, last = time.monotonic(), self.step()
            if time.monotonic() - began > WITHIN_S:
                self.kill(group=True)
                raise SystemExit(f"the run hangs after step {last}: {self._told.read_text()[-2000:]}")
            time.sleep(0.001)
        return []

    def told(self) -> str:
        """What the processes have said since their start."""
        return self._told.read_text()


def free_port() -> int:
    """One that the system gives to nobody by itself meanwhile."""
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise SystemExit("no port is free")


def planned(kills: int, steps: int, trunk: int, processes: int, draw: random.Random) -> list[tuple[int, str]]:
    """After which steps to kill, and in the middle of what; three times at the change of the stages."""
    kinds = ["start-up", "step", "step", "checkpoint", "checkpoint", "validation", "worker"]
    kinds += ["one of the processes"] * 2 if processes > 1 else []
    changes = [(trunk - 1, "change of stages")] * min(3, kills // 2)
    others = [(draw.randrange(steps - 4), draw.choice(kinds)) for _ in range(kills - len(changes))]
    return sorted(changes + others, key=lambda moment: moment[0])


def reached(run: Run, kind: str) -> bool:
    """Whether the run is in the middle of what is called so."""
    stages = sorted(run.folder.glob("[0-9]-*"))
    if kind == "checkpoint":
        return any(True for stage in stages for _ in (stage / "checkpoints").glob(f"{TEMPORARY}*"))
    if kind == "change of stages":
        return (run.folder / "1-trunk" / "trunk.safetensors").exists() and run.step() >= 2
    if kind == "validation" and stages:  # its checkpoint is there, its line is not
        with suppress(OSError):
            done = (stages[-1] / "log.jsonl").read_text().count('"validation"')
            return (stages[-1] / "checkpoints" / f"step-{VALIDATED * (done + 1):08}.pt").exists()
        return False
    return kind != "validation"


def kill_often(run: Run, plan: list[tuple[int, str]], cold: int, draw: random.Random) -> tuple[Counter[str], list[str]]:
    """Kill the run at the planned moments, go on each time, and let it end; counts of the kills, and complaints."""
    counts, complaints, starts = Counter[str](), list[str](), 0

    def start() -> float:
        nonlocal starts
        starts += 1
        run.start(cold=cold > 0 and starts % cold == 0)
        return time.monotonic()

    began = start()
    for step, kind in plan:
        if kind == "start-up":
            time.sleep(draw.uniform(0, 2))
        elif run.wait(lambda step=step, kind=kind: run.step() >= step and reached(run, kind)):
            complaints.append(f"the run ended before it was to be killed after step {step}: {run.told()[-500:]}")
            break
        elif kind in ("step", "validation", "one of the processes"):
            time.sleep(draw.uniform(0, 0.2))
        if kind == "worker" and run.kill_worker():
            counts[kind] += 1
            continue
        group = draw.random() < 0.5
        run.kill(group=group, ranks=1 if kind == "one of the processes" else None)
        codes = run.wait()
        counts[kind] += 1
        number = sum(counts.values()) - counts[HALF_WRITTEN]
        if any(True for _ in run.folder.glob(f"*/checkpoints/{TEMPORARY}*")):
            counts[HALF_WRITTEN] += 1
        if "Traceback" in run.told():
            complaints.append(f"a traceback, exit codes {codes}: {run.told()[-1500:]}")
        print(
            f"{number:3} {kind} after step {run.step()}, {time.monotonic() - began:.1f} s, {codes}",
            flush=True,
        )
        began = start()
    codes = run.wait()
    if any(codes) or "Traceback" in run.told():
        complaints.append(f"the last restart ended with {codes}: {run.told()[-1500:]}")
    return counts, complaints


def prepare(work: Path, trunk: int, gan: int) -> None:
    """The recipe, photos and a test set."""
    (work / "recipe.yaml").write_text(
        RECIPE.replace("TRUNK", str(trunk)).replace("GAN", str(gan)).replace("VALIDATED", str(VALIDATED))
    )
    noise = np.random.default_rng(0)
    for folder, names, size in (("photos", ["a", "b", "c"], (96, 80)), ("test", ["000_0", "000_1"], (48, 40))):
        (work / folder).mkdir()
        for name in names:
            coarse = Image.fromarray(noise.integers(0, 256, (10, 12, 3), dtype=np.uint8))
            coarse.resize(size, Image.Resampling.BICUBIC).save(work / folder / f"{name}.png")


def main(arguments: list[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(
        description="Kill a training run at random moments, and compare its end with that of one left alone."
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--steps", type=int, default=300, help="of both stages together")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--processes", type=int, default=1, help="of the run, as of a launcher")
    parser.add_argument("--precision", default="fp32", help="fp32 or bf16")
    parser.add_argument("--workers", type=int, default=1, help="processes that make pairs, for each process")
    parser.add_argument("--cold", type=int, default=5, help="every so manieth start is a new interpreter; 0 for none")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    gc.freeze()  # what forks do not look through for garbage, they need no copies of
    draw, trunk = random.Random(given.seed), given.steps // 3
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        work = Path(name)
        prepare(work, trunk, given.steps - trunk)
        options = [f"--engine.precision={given.precision}", f"--workers={given.workers}"]
        whole, killed = (Run(work, work / which, options, given.processes) for which in ("whole", "killed"))
        whole.start(cold=given.cold > 0)
        if any(codes := whole.wait()):
            print(f"the run without kills ended with {codes}: {whole.told()}")
            return 1
        plan = planned(given.kills, given.steps, trunk, given.processes, draw)
        try:
            counts, complaints = kill_often(killed, plan, given.cold, draw)
        finally:
            killed.kill(group=True)
        differing = differences(killed.folder, whole.folder)
        complaints += [f"differs: {place}" for place in differing]
        last = torch.load(max((killed.folder / "2-gan" / "checkpoints").glob("step-*.pt")), weights_only=True)
        num_tensors = sum(1 for _ in tensors(last))
    for kind, count in counts.items():
        print(f"{count:4} {kind}")
    for complaint in complaints:
        print(complaint)
    kills = sum(counts.values()) - counts[HALF_WRITTEN]
    end = "differs from" if differing else "is the same to the last bit as"
    run = f"{given.steps} steps ({given.precision}, {given.processes} processes, {given.workers} workers)"
    print(f"{kills} kills in {run}: the end, {num_tensors} tensors, best weights and logs, {end} that without kills")
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main())
