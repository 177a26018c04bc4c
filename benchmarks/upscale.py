"""A whole upscale, ours against the textbook form: `python benchmarks/upscale.py [--output F.json]`.

The full published network in fp32 with random weights and a reference four times the LR, encoded anew each time; and
the peak memory of `ttsr-lite` at LR 300x300, where the textbook form's matrix alone would take 32 GB.
"""

import argparse
from pathlib import Path

import textbook
import torch
from measure import Case, in_this_process, in_turns, parse_size, report, times_faster

from ttsr.models.ttsr import TTSR, resize
from ttsr.training.recipe import read_recipe

SIZES = ("40x40", "80x125", "125x125", "160x250")
MEMORY_SIZE = "300x300"


def measure_one(form: str, height: int, width: int) -> None:
    torch.manual_seed(0)
    model = TTSR(read_recipe("ttsr-lite").model if form == "lite" else None).eval()
    lr, ref = torch.rand(1, 3, height, width), torch.rand(1, 3, 4 * height, 4 * width)
    lr_up, ref_blur = resize(lr, 4), resize(resize(ref, 0.25), 4)

    def work(size: int) -> None:
        big = 4 * size
        inputs = lr[..., :size, :size], lr_up[..., :big, :big], ref[..., :big, :big], ref_blur[..., :big, :big]
        if form == "textbook":
            textbook.forward(model, inputs[0], inputs[1], [inputs[2]], [inputs[3]])
        else:
            model(inputs[0], inputs[2], lr_up=inputs[1], ref_blur=inputs[3], keep_textures=False)

    with torch.inference_mode():
        work(8)
        in_this_process(lambda: work(max(height, width)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="*", default=SIZES, help="LR sizes, rows x columns")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--one", nargs=2, metavar=("FORM", "SIZE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure_one(options.one[0], *parse_size(options.one[1]))
        return
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
    cases = [Case(form, *parse_size(size)) for size in options.sizes for form in ("textbook", "ours")]
    rows = in_turns(Path(__file__), cases, options.repeats)
    rows += in_turns(Path(__file__), [Case("lite", *parse_size(MEMORY_SIZE))], 1)
    report(rows, options.output, times_faster(rows, "textbook", "ours"))


if __name__ == "__main__":
    main()
