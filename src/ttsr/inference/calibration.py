"""How fast the stages run here and now: the network itself, on a small picture, stage by stage."""

import math
import time
from collections.abc import Mapping
from functools import cache

import torch

from ttsr.models.config import TTSRConfig
from ttsr.models.correspondence.types import Grid, Matcher, MatchingCost
from ttsr.models.cost import Cost, count
from ttsr.models.ttsr import TTSR
from ttsr.options import Precision
from ttsr.progress import Progress
from ttsr.system.precision import computing_in

# Multiply-adds that a probe takes, about, and the cells that its picture has at least and at most.
_MULTIPLY_ADDS, _FEWEST, _MOST = 3e9, 256, 1000
_RUNS, _PATIENCE_S = 4, 0.6
# The search is probed by itself, on grids of this side.
_SEARCH_SIDE = 80
# What the exact search does with each pair of cells beside their product (additions along x and y, the norm, the
# maximum) takes as long as so many multiply-adds, however many channels there are.
_PER_PAIR = 170


@cache
def seconds_per_unit(
    config: TTSRConfig, device: torch.device, precision: Precision, matcher: Matcher
) -> Mapping[str, float]:
    """For each stage of `Cost` the seconds for each multiply-add, or for each unit of `matching_units`.

    Takes about a second, once a process.
    """
    cells = _MULTIPLY_ADDS / (count(config, (1, 1), [(1, 1)], by_level=True).total)
    side = math.isqrt(int(min(max(cells, _FEWEST), _MOST)))
    grid: Grid = (side, side)
    cost = count(config, grid, [grid], by_level=True)
    with torch.inference_mode(), torch.random.fork_rng(devices=[]), computing_in(precision, device):
        torch.manual_seed(0)
        model = TTSR(config).to(device).eval()
        runs, start = [], time.perf_counter()
        # The first run sets up kernels and threads; the fastest of several counts.
        while len(runs) < _RUNS and (len(runs) < 2 or time.perf_counter() - start < _PATIENCE_S):
            runs.append(_stage_seconds(model, grid, matcher))
        least = {name: min(run[name] for run in runs) for name in vars(cost)}
        rates = {name: least[name] / work if work else 0.0 for name, work in vars(cost).items()}
        rates["matching"] = _search_rate(config.extractor_channels[2], device, matcher)
    return rates


def matching_units(cost: MatchingCost) -> float:
    """The work of a search: multiply-adds, and pairs in multiply-adds."""
    return cost.multiply_adds + _PER_PAIR * cost.pairs


def _stage_seconds(model: TTSR, grid: Grid, matcher: Matcher) -> dict[str, float]:
    device = next(model.parameters()).device
    lr = torch.rand(1, 3, *grid, device=device)
    ref = lr.repeat_interleave(4, 2).repeat_interleave(4, 3)
    names = list(Cost.__dataclass_fields__)
    ends: dict[str, float] = {}

    def show(fraction: float, _: str) -> None:
        _wait(device)
        # The stages have equal shares, and each ends with an update to the end of its own.
        for name in names[: round(fraction * len(names) - 0.499)]:
            ends.setdefault(name, time.perf_counter())

    before = time.perf_counter()
    model(
        lr,
        ref,
        lr_up=ref,
        ref_blur=ref,
        matcher=matcher,
        keep_textures=False,
        progress=Progress(show),
        shares=dict.fromkeys(names, 1.0),
    )
    seconds = {}
    for name in names:
        end = ends.get(name, before)
        seconds[name], before = end - before, end
    return seconds


def _search_rate(channels: int, device: torch.device, matcher: Matcher) -> float:
    grid = (_SEARCH_SIDE, _SEARCH_SIDE)
    # Smooth, so that neighbours match neighbours.
    rough = torch.rand(1, channels, 8, 8, device=device)
    features = torch.nn.functional.interpolate(rough, size=grid, mode="bilinear")
    features = features.contiguous(memory_format=torch.channels_last)
    best = math.inf
    for _ in range(2):
        start = time.perf_counter()
        matcher(features, [features])
        _wait(device)
        best = min(best, time.perf_counter() - start)
    return best / matching_units(matcher.cost(grid, [grid], channels, 4))


def _wait(device: torch.device) -> None:
    """For a GPU to do what it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
