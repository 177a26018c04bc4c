"""Where an upscale's time goes: `python benchmarks/stages.py [--output F.json]`.

Each stage's time beside its floor: its multiply-adds at the rate of a large matrix product, or the bytes that it has to
read and write at the rate of a copy, whichever takes longer. Both rates are measured in the same run. What tiles
compute twice where they overlap is time, but not in the floor. The photo is one of the examples, resized.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from measure import copy_bytes_per_s, example_photo, machine, matrix_flops
from numpy.typing import NDArray
from torch import Tensor

from ttsr.images.resize import blur_by_resize, upscale4
from ttsr.inference.plan import LARGEST_BLOCK
from ttsr.models.correspondence.coherent import COHERENT
from ttsr.models.correspondence.exact import EXACT
from ttsr.models.correspondence.types import CELLS, Box, Grid, Matcher, Matches
from ttsr.models.cost import cell_bytes, count
from ttsr.models.encoding import Encoder, luma_of
from ttsr.models.inputs import check_reference
from ttsr.models.streaming import coarse_features, fine_in_tiles, first_in_tiles, second_in_tiles
from ttsr.models.ttsr import TTSR
from ttsr.options import Precision
from ttsr.progress import Progress
from ttsr.system.precision import bytes_per_value, computes_in_bf16, computing_in
from ttsr.weights.loading import load

CPU = torch.device("cpu")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Row:
    """One stage.

    Attributes:
        case: network, precision and LR size.
        stage: what is done.
        seconds: that it took.
        floor_s: that its multiply-adds or bytes take at the machine's own rates.
        share: floor_s / seconds.
    """

    case: str
    stage: str
    seconds: float
    floor_s: float
    share: float


class Stages:
    """Measures stages; `rate` is in multiplications and additions a second, `bandwidth` in bytes a second."""

    def __init__(self, case: str, rates: dict[str, float], bandwidth: float) -> None:
        self.case, self.rates, self.bandwidth, self.rows = case, rates, bandwidth, list[Row]()

    def measure(
        self,
        stage: str,
        work: Callable[[], Result],
        multiply_adds: float = 0,
        bytes_moved: float = 0,
        arithmetic: str = "fp32",
    ) -> Result:
        """Time a stage, once."""
        started = time.perf_counter()
        result = work()
        seconds = time.perf_counter() - started
        floor = max(2 * multiply_adds / self.rates[arithmetic], bytes_moved / self.bandwidth)
        self.rows.append(Row(self.case, stage, seconds, floor, floor / seconds))
        print(f"{stage:34} {seconds:9.2f} {floor:9.2f} {floor / seconds:7.0%}", flush=True)
        return result


def measure_case(model: TTSR, precision: Precision, lr_size: Grid, ref_size: Grid, exact: bool, stages: Stages) -> None:
    """Measure all stages of an upscale, in the order of the work; sizes are rows x columns."""
    config, blocks = model.config, LARGEST_BLOCK["cpu"]
    photo, reference_photo = example_photo("hr", lr_size), example_photo("ref", ref_size)
    lr, lr_up = _tensor(photo).float() / 255, _tensor(upscale4(photo))
    reference = check_reference(_tensor(reference_photo), _tensor(blur_by_resize(reference_photo)), None)
    height, width = lr_size
    key_grid = reference.grid
    cost = count(config, lr_size, [], [key_grid])
    encoding = count(config, lr_size, [key_grid]).references
    encoder = Encoder(model.extractor, model.transfer, blocks)
    element, sizes = bytes_per_value(precision), cell_bytes(config, 1)
    progress = Progress()
    with torch.inference_mode(), computing_in(precision, CPU):
        keys = stages.measure(
            "keys of the reference", lambda: coarse_features(model.extractor, reference.ref_blur, blocks), encoding / 2
        )
        encoded = stages.measure(
            "its keys and textures", lambda: encoder.at_once(reference, progress), encoding, 0, precision
        )
        queries = stages.measure("queries", lambda: coarse_features(model.extractor, lr_up, blocks), cost.queries)
        features = 4 * (queries.numel() + keys.numel())

        def search(matcher: Matcher) -> Matches:
            taken = matcher.cost(lr_size, [key_grid], queries.shape[1], 4).multiply_adds
            return stages.measure(f"{matcher.name} search", lambda: matcher(queries, [keys]), taken, features)

        matches = search(COHERENT)
        if exact:
            matches = search(EXACT)
        luma = luma_of(lr_up) if model.transfer.needs_luma else None
        textures = stages.measure(
            "refinement and confidence",
            lambda: model.transfer(matches, [encoded], luma, progress),
            cost.refinement / 4,
        )
        for level, (cell, channels) in enumerate(zip(CELLS, reversed(config.extractor_channels), strict=True)):
            moved = height * width * cell**2 * channels * element * (9 + 1)
            # In tiles, as it is used.
            step = max(1, 2**14 // width)
            boxes = [Box(top, min(top + step, height), 0, width) for top in range(0, height, step)]
            stages.measure(
                f"transfer at {cell}x", lambda n=level, b=boxes: [textures.level(n, box) for box in b][:0], 0, moved
            )
        x1, detail = stages.measure(
            "synthesis at 1x, with its transfer",
            lambda: first_in_tiles(model.synthesis, lr, textures, blocks // sizes.first, progress),
            cost.first,
            0,
            precision,
        )
        x1, x2 = stages.measure(
            "synthesis at 2x, with its transfer",
            lambda: second_in_tiles(model.synthesis, x1, textures, blocks // sizes.second, progress),
            cost.second,
            0,
            precision,
        )
        base = partial(model.base, lr_up, detail)
        stages.measure(
            "synthesis at 4x, with its transfer",
            lambda: fine_in_tiles(
                model.synthesis, x1, x2, textures, base, lambda rgb, _: rgb, blocks // sizes.fine, progress
            ),
            cost.fine,
            0,
            precision,
        )


def _tensor(photo: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(photo).permute(2, 0, 1)[None].contiguous()


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--threads", type=int, help="of the CPU (default: all)")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    lite, full = load("ttsr-lite").eval(), TTSR().eval()
    cases: list[tuple[str, TTSR, Precision, Grid, Grid, bool]] = [
        ("ttsr-lite", lite, "fp32", (300, 400), (3000, 4000), False),
        ("the full network", full, "fp32", (160, 250), (640, 1000), True),
    ]
    if computes_in_bf16(CPU):
        cases.insert(1, ("ttsr-lite", lite, "bf16", (300, 400), (3000, 4000), False))
    rows: list[Row] = []
    for name, model, precision, lr_size, ref_size, exact in cases:
        rates, bandwidth = (
            {"fp32": matrix_flops(torch.float32), "bf16": matrix_flops(torch.bfloat16)},
            copy_bytes_per_s(),
        )
        case = f"{name}, {precision}, LR {lr_size[0]}x{lr_size[1]}, reference {ref_size[0]}x{ref_size[1]}"
        print(f"{case}; {rates[precision] / 1e9:.0f} GFLOPS, {bandwidth / 1e9:.0f} GB/s")
        print(f"{'':34} {'seconds':>9} {'floor':>9} {'share':>7}")
        stages = Stages(case, rates, bandwidth)
        measure_case(model, precision, lr_size, ref_size, exact, stages)
        rows += stages.rows
    if options.output is not None:
        report = {"machine": machine(), "rows": [asdict(row) for row in rows]}
        options.output.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
