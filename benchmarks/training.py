"""Training steps of the published network, ours against the textbook form: `python benchmarks/training.py`.

On a CPU both forms at batch 2; on a GPU (`--device cuda`) every precision at batch 9, with `--largest` at the largest
batch that fits. Each measurement has a separate process; the forms alternate. LR 40x40, as published.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from measure import machine
from torch.utils.flop_counter import FlopCounterMode

from ttsr.data.sample import Batch
from ttsr.models import textbook
from ttsr.models.correspondence.types import EncodedReference
from ttsr.models.output import TTSROutput
from ttsr.system.distributed import Runtime
from ttsr.system.memory import peak_bytes
from ttsr.training.recipe_text import read_recipe
from ttsr.training.trainer import Trainer

RECIPE = "ttsr-rec_x4c64b16_1xb9-200k_CUFED"
HR = 160
WARM_UP = 2

# Overrides of the recipe. A textbook form is the same network in PyTorch's default memory layout, with the search and
# transfer of textbook.py.
FORMS = {
    "textbook": [],
    "textbook-tf32": ["--engine.precision=tf32"],
    "ours": [],
    "tf32": ["--engine.precision=tf32"],
    "bf16": ["--engine.precision=bf16"],
    "fp16": ["--engine.precision=fp16"],
    "bf16-channels-last": ["--engine.precision=bf16", "--engine.channels_last=true"],
    "bf16-compiled": ["--engine.precision=bf16", "--engine.channels_last=true", "--engine.compile=true"],
}
CPU_FORMS = ("textbook", "ours")


def random_batch(size: int) -> Batch:
    """Make a batch of random images in the sizes of the recipe's crops."""

    def image(side: int) -> torch.Tensor:
        return torch.rand(size, 3, side, side)

    unknown = torch.eye(3).expand(size, 3, 3), torch.zeros(size, dtype=torch.bool)
    return Batch(image(HR), image(HR // 4), image(HR), image(HR), image(HR), *unknown)


def use_the_textbook_form(trainer: Trainer) -> None:
    """Replace the trainer's forward pass by the textbook form."""
    model = trainer.model

    def forward(batch: Batch) -> tuple[TTSROutput, EncodedReference]:
        assert batch.ref is not None and batch.ref_blur is not None
        output = textbook.forward(model, batch.lr, batch.lr_up, [batch.ref], [batch.ref_blur])
        with torch.no_grad():
            nothing = EncodedReference(output.relevance, (output.sr, output.sr, output.sr))
        return output, nothing

    trainer.objective.forward = forward


def measure_one(form: str, size: int, steps: int, device: str) -> dict[str, float]:
    """Time one form at one batch size."""
    torch.manual_seed(0)
    recipe = read_recipe(RECIPE, [f"--batch_size={size}", "--extractor.start=random", *FORMS[form]])
    runtime = Runtime(device)
    trainer = Trainer(recipe, runtime)
    if form.startswith("textbook"):
        use_the_textbook_form(trainer)
    batch = random_batch(size).to(runtime.device)
    for _ in range(WARM_UP if runtime.device.type == "cuda" else 1):
        trainer.train_step(batch)
    seconds = []
    for _ in range(steps):
        started = time.perf_counter()
        trainer.train_step(batch)  # reads the losses, and so waits for a GPU
        seconds.append(time.perf_counter() - started)
    return {
        "seconds": statistics.median(seconds),
        "peak_gb": peak_bytes(runtime.device) / 1e9,
    }


def flops_of_a_step(size: int) -> float:
    """Count the multiplications and additions of the convolutions and matrix products of a step, without the search."""
    trainer = Trainer(read_recipe(RECIPE, ["--batch_size=1", "--extractor.start=random"]), Runtime("cpu"))
    with FlopCounterMode(display=False) as counter:
        trainer.train_step(random_batch(1))
    return counter.get_total_flops() * size


def matrix_rate(dtype: torch.dtype, side: int = 8192) -> float:
    """Measure the operations per second of a large matrix product on the GPU."""
    a, b = (torch.rand(side, side, device="cuda", dtype=dtype) for _ in range(2))
    for _ in range(3):
        torch.mm(a, b)
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(10):
        torch.mm(a, b)
    torch.cuda.synchronize()
    return 10 * 2 * side**3 / (time.perf_counter() - started)


def in_a_process(form: str, size: int, options: argparse.Namespace) -> dict[str, float] | None:
    """Take one measurement in a separate process; None if the batch does not fit into memory."""
    command = [sys.executable, __file__, "--one", form, str(size), "--steps", str(options.steps)]
    answer = subprocess.run([*command, "--device", options.device], capture_output=True, text=True)
    if answer.returncode:
        if "out of memory" in answer.stderr.lower():
            return None
        raise SystemExit(answer.stderr)
    measured: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    print(f"  {form:18} batch {size}: {measured['seconds']:.3f} s", file=sys.stderr)
    return measured


def largest_batch(form: str, options: argparse.Namespace) -> int:
    """Find the largest of 9, 18, 36, ... that fits into memory."""
    size = options.batch
    while in_a_process(form, 2 * size, options) is not None:
        size *= 2
    return size


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--batch", type=int, help="pairs per step (default: 2 on a CPU, 9 on a GPU)")
    parser.add_argument("--steps", type=int, default=3, help="timed in each process")
    parser.add_argument("--repeats", type=int, default=3, help="processes for each form")
    parser.add_argument("--largest", action="store_true", help="on a GPU, also at the largest batch that fits")
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--one", nargs=2, metavar=("FORM", "BATCH"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure_one(options.one[0], int(options.one[1]), options.steps, options.device)))
        return
    on_gpu = options.device == "cuda"
    options.batch = options.batch or (9 if on_gpu else 2)
    sizes = {form: {options.batch} for form in (FORMS if on_gpu else CPU_FORMS)}
    if on_gpu and options.largest:
        sizes["bf16-channels-last"].add(largest_batch("bf16-channels-last", options))
    report = measured_rows(sizes, options)
    if options.output is not None:
        options.output.write_text(json.dumps(report, indent=1) + "\n")


def _precision(form: str) -> str:
    return next((name for name in ("tf32", "bf16", "fp16") if name in form), "fp32")


def measured_rows(sizes: dict[str, set[int]], options: argparse.Namespace) -> dict[str, Any]:
    """Measure all forms and batch sizes, print a table, and return the report."""
    cases = [(form, size) for form, batches in sizes.items() for size in sorted(batches)]
    results: dict[tuple[str, int], list[dict[str, float]]] = {case: [] for case in cases}
    for _ in range(options.repeats):
        for case in cases:
            measured = in_a_process(*case, options)
            results[case] += [measured] if measured else []
    # The measured rate of the GPU for each precision, to compare the steps' rates with.
    rates = {}
    if options.device == "cuda":
        rates = {
            "fp32": matrix_rate(torch.float32),
            "bf16": matrix_rate(torch.bfloat16),
            "fp16": matrix_rate(torch.float16),
        }
        torch.set_float32_matmul_precision("high")
        rates["tf32"] = matrix_rate(torch.float32)
    flops = flops_of_a_step(1)
    rows = []
    print(
        f"{'form':18} {'batch':>5} {'steps/s':>8} {'pairs/s':>8} {'peak GB':>8} {'TFLOPS':>8} {'against textbook':>17}"
    )
    for (form, size), measured in results.items():
        if not measured:
            print(f"{form:18} {size:5} does not fit")
            continue
        seconds = statistics.median(row["seconds"] for row in measured)
        peak = max(row["peak_gb"] for row in measured)
        slow = results.get(("textbook", size), [])
        ratio = (
            statistics.median(b["seconds"] / a["seconds"] for a, b in zip(measured, slow, strict=False)) if slow else 0
        )
        tera = flops * size / seconds / 1e12
        share = tera * 1e12 / rates[_precision(form)] if rates else 0.0
        rate = f"{1 / seconds:8.3f} {size / seconds:8.2f}"
        print(f"{form:18} {size:5} {rate} {peak:8.2f} {tera:8.2f} {share:8.1%} {ratio:17.2f}")
        rows.append(
            {
                "form": form,
                "batch": size,
                "seconds": seconds,
                "all_seconds": [row["seconds"] for row in measured],
                "peak_gb": peak,
                "tflops": tera,
                "share_of_matrix_rate": share,
                "times_faster_than_textbook": ratio,
            }
        )
    device = torch.cuda.get_device_name() if options.device == "cuda" else "cpu"
    return {"machine": machine(), "device": device, "matrix_rates": rates, "rows": rows}


if __name__ == "__main__":
    main()
