"""Pictures and references of the sizes that people have: `python benchmarks/people.py [CASE ...] [--output F.json]`.

Each case is one upscale in a process of its own, from pictures in memory, references encoded anew: wall time and peak
memory of the process. The photos are the examples, resized. `--search`, `--pose`, `--precision` and `--threads` are
passed on.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from measure import example_photo, in_this_process, machine

from ttsr.inference.upscaler import Upscaler
from ttsr.models.ttsr import TTSR
from ttsr.options import PoseSearch, Precision, Search
from ttsr.system.threads import use_threads


@dataclass(frozen=True)
class Case:
    """One upscale; sizes are rows x columns.

    Attributes:
        lr: size of the LR picture.
        ref: size of the reference.
        full: by the full published network, with random weights, instead of `ttsr-lite`.
        most_seconds: that it may take; None for any time.
        most_gib: that the process may hold.
        max_memory: limit in bytes that the upscaler is given; None for its default.
    """

    lr: tuple[int, int]
    ref: tuple[int, int]
    full: bool = False
    most_seconds: float | None = None
    most_gib: float | None = None
    max_memory: int | None = None


CASES = {
    "400x300": Case((300, 400), (3000, 4000), most_seconds=60, most_gib=3),
    "1000x750": Case((750, 1000), (3000, 4000), most_seconds=240, most_gib=4),
    "800x800": Case((800, 800), (3200, 3200), most_gib=4),
    "full": Case((750, 1000), (3000, 4000), full=True, most_gib=4, max_memory=4 * 2**30),
    "100x100": Case((100, 100), (400, 400)),
    "200x200": Case((200, 200), (800, 800)),
    "400x400": Case((400, 400), (1600, 1600)),
}
GROWTH = (("100x100", "200x200"), ("200x200", "400x400"))


def run(case: Case, options: argparse.Namespace) -> None:
    """Upscale once, in this process."""
    if options.threads is not None:
        use_threads(options.threads)
    torch.manual_seed(0)
    model = TTSR() if case.full else "ttsr-lite"
    upscaler = Upscaler(
        model,
        device="cpu",
        precision=options.precision,
        search=options.search,
        pose=options.pose,
        max_memory=case.max_memory,
    )
    lr, ref = example_photo("hr", case.lr), example_photo("ref", case.ref)
    in_this_process(lambda: upscaler.upscale(lr, upscaler.encode_references([ref])))


def main() -> None:
    """Measure the cases and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)} (default: all)")
    parser.add_argument("--search", choices=get_args(Search), default="coherent")
    parser.add_argument("--pose", choices=get_args(PoseSearch), default="auto")
    parser.add_argument("--precision", choices=("auto", *get_args(Precision)), default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run(CASES[options.one], options)
        return
    rows: list[dict[str, Any]] = []
    print(f"{'case':10} {'LR':>9} {'reference':>10} {'seconds':>9} {'target':>7} {'peak GiB':>9} {'target':>7}")
    for name in options.cases or CASES:
        case = CASES[name]
        command = [sys.executable, __file__, "--one", name, "--search", options.search]
        command += ["--precision", options.precision, "--pose", options.pose]
        command += [] if options.threads is None else ["--threads", str(options.threads)]
        answer = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
        measured = json.loads(answer.splitlines()[-1])
        seconds, peak = measured["seconds"], measured["peak_gb"] * 1e9 / 2**30
        rows.append({"case": name, **asdict(case), "seconds": seconds, "peak_gib": peak})
        sizes = f"{case.lr[1]}x{case.lr[0]:<4} {case.ref[1]:>5}x{case.ref[0]:<4}"
        print(f"{name:10} {sizes:>20} {seconds:9.1f} {case.most_seconds or '':>7} {peak:9.2f} {case.most_gib or '':>7}")
    taken = {row["case"]: row["seconds"] for row in rows}
    growth = {
        f"{big} against {small}": taken[big] / taken[small] for small, big in GROWTH if {small, big} <= set(taken)
    }
    for name, ratio in growth.items():
        print(f"{name}: {ratio:.2f} times as long")
    if options.output is not None:
        report = {
            "machine": machine(),
            "search": options.search,
            "pose": options.pose,
            "precision": options.precision,
            "rows": rows,
            "growth": growth,
        }
        options.output.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
