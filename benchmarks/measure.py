"""Time and peak memory of a task in two forms, each measured in a separate process, the forms alternating."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ttsr.system.memory import peak_bytes

EXAMPLES = Path(__file__).parent.parent / "examples" / "pairs"
# LR sizes, rows x columns.
SIZES = ("40x40", "80x125", "125x125", "160x250")


@dataclass(frozen=True)
class Case:
    """One measurement.

    Attributes:
        form: of the task.
        height: of the LR, in pixels.
        width: of the LR, in pixels.
    """

    form: str
    height: int
    width: int


def compare(
    script: Path,
    about: str,
    measure_one: Callable[[str, int, int], None],
    alone: Sequence[Case] = (),
    forms: tuple[str, str] = ("textbook", "ours"),
    sizes: Sequence[str] = SIZES,
    beside: tuple[str, str] | None = None,
    beside_size: str = "80x125",
) -> None:
    """Run a benchmark's command line: both forms at every size, then the cases `alone` once.

    Args:
        script: the benchmark's file.
        about: text of its help.
        measure_one: called with form, height and width in a separate process; it ends in `in_this_process`.
        alone: cases without a second form.
        forms: the slow one and the fast one.
        sizes: LR sizes, rows x columns.
        beside: two more forms whose ratio is of interest, the fast one first.
        beside_size: the LR size that they are measured at.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--sizes", nargs="*", default=sizes, help="LR sizes, rows x columns")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--one", nargs=2, metavar=("FORM", "SIZE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure_one(options.one[0], *parse_size(options.one[1]))
        return
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
    cases = [Case(form, *parse_size(size)) for size in options.sizes for form in forms]
    rows = measure_alternating(script, cases, options.repeats) + measure_alternating(script, alone, 1)
    ratios = times_faster(rows, *forms)
    if beside is not None:
        pair = [Case(form, *parse_size(beside_size)) for form in beside]
        more = measure_alternating(script, pair, options.repeats)
        rows, ratios = rows + more, ratios | times_faster(more, *reversed(beside))
    report(rows, options.output, ratios)


def peak_memory_gb() -> float:
    """Return the peak memory of this process so far, in units of 10^9 bytes."""
    return peak_bytes(torch.device("cpu")) / 1e9


def in_this_process(work: Callable[[], object]) -> None:
    """Run `work` once, and print its seconds and this process's peak memory as JSON."""
    before = peak_memory_gb()
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak_gb": peak_memory_gb(), "before_gb": before}))


def measure_alternating(script: Path, cases: Sequence[Case], repeats: int) -> list[dict[str, Any]]:
    """Measure the cases one after the other, `repeats` times: median of seconds, maximum of peak memory."""
    rows: dict[Case, list[dict[str, float]]] = {case: [] for case in cases}
    for _ in range(repeats):
        for case in cases:
            command = [sys.executable, str(script), "--one", case.form, f"{case.height}x{case.width}"]
            answer = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
            rows[case].append(json.loads(answer.splitlines()[-1]))
            print(f"  {case.form:10} {case.height}x{case.width}: {rows[case][-1]['seconds']:.2f} s", file=sys.stderr)
    return [
        asdict(case)
        | {
            "seconds": statistics.median(row["seconds"] for row in measured),
            "all_seconds": [row["seconds"] for row in measured],
            "peak_gb": max(row["peak_gb"] for row in measured),
        }
        for case, measured in rows.items()
    ]


def machine() -> dict[str, Any]:
    """Describe the machine."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "gemm_gflops": round(matrix_flops() / 1e9, 1),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0],
    }


def matrix_flops(dtype: torch.dtype = torch.float32, side: int = 2048) -> float:
    """Multiplications and additions a second of a large matrix product, at the moment: the best of a few."""
    a, b = torch.rand(side, side, dtype=dtype), torch.rand(side, side, dtype=dtype)
    return 2 * side**3 / _least_s(lambda: torch.mm(a, b))


def copy_bytes_per_s(megabytes: int = 256) -> float:
    """Bytes read and written a second by a large copy, at the moment."""
    source = torch.zeros(megabytes * 2**20, dtype=torch.uint8)
    target = torch.zeros_like(source)
    return 2 * source.numel() / _least_s(lambda: target.copy_(source))


def _least_s(work: Callable[[], object], repeats: int = 4) -> float:
    work()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def example_photo(role: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The `hr` or the `ref` of an example pair, two views of one place, at any size, rows x columns."""
    with Image.open(EXAMPLES / f"aloe_{role}.png") as photo:
        resized = photo.convert("RGB").resize((size[1], size[0]), Image.Resampling.BICUBIC)
    return np.array(resized)


def parse_size(text: str) -> tuple[int, int]:
    """Parse a size, rows by columns: "80x125" to (80, 125)."""
    height, width = text.split("x")
    return int(height), int(width)


def report(rows: list[dict[str, Any]], output: Path | None, ratios: dict[str, float]) -> None:
    """Print a table, and write everything as JSON if there is an output file."""
    print(f"{'form':10} {'LR':>9} {'seconds':>9} {'peak GB':>9}")
    for row in rows:
        print(f"{row['form']:10} {row['height']:>4}x{row['width']:<4} {row['seconds']:9.2f} {row['peak_gb']:9.2f}")
    for name, ratio in ratios.items():
        print(f"{name}: {ratio:.2f} times faster")
    if output is not None:
        output.write_text(json.dumps({"machine": machine(), "rows": rows, "times_faster": ratios}, indent=1) + "\n")


def times_faster(rows: list[dict[str, Any]], slow: str, fast: str) -> dict[str, float]:
    """Compute for each size in both forms how many times faster `fast` is: the median ratio of the repeats."""
    by_case = {(row["form"], row["height"], row["width"]): row["all_seconds"] for row in rows}
    ratios = {}
    for (form, height, width), seconds in by_case.items():
        other = by_case.get((slow, height, width))
        if form == fast and other is not None:
            pairs = [b / a for a, b in zip(seconds, other, strict=True)]
            ratios[f"{fast} against {slow} at {height}x{width}"] = statistics.median(pairs)
    return ratios
