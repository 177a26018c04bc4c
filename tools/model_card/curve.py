"""The loss of a model's runs, one after the other, as SVG on its own white."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from statistics import fmean

from model_card.svg import BLUE, DARK, GRAY, opening
from ttsr.errors import DataError

WIDTH, HEIGHT = 720, 360
_LEFT, _TOP, _ACROSS, _DOWN = 66, 34, 630, 270
# Of a step's loss most is whether its few crops are hard: so many lines of the log make a point.
_MEAN_OF = 20


@dataclass(frozen=True)
class RunLog:
    """A run's log: its file, its length in steps and seconds, and step and reconstruction loss of each line."""

    file: Path
    steps: int
    seconds: float
    losses: list[tuple[int, float]]


def read_runs(folder: Path, model: str) -> list[RunLog]:
    """The logs MODEL.jsonl, MODEL-2.jsonl, ... of a folder, as far as they go on.

    Raises:
        DataError: one of them is no log.
    """
    runs: list[RunLog] = []
    while (file := folder / f"{model}{f'-{len(runs) + 1}' if runs else ''}.jsonl").is_file():
        try:
            lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
            losses = [(int(line["step"]), float(line["rec"])) for line in lines if "rec" in line]
            steps = [line for line in lines if "seconds" in line]
            runs.append(RunLog(file, int(steps[-1]["step"]), float(steps[-1]["seconds"]), losses))
        except (ValueError, KeyError, TypeError, IndexError):
            raise DataError(f"{file}: no log that ttsr train wrote") from None
    return runs


def loss_curve(title: str, runs: Sequence[RunLog]) -> str:
    """Mean absolute error over the steps of all runs, each point the mean of twenty lines; a dashed line ends a run."""
    ends = list(accumulate(run.steps for run in runs))
    points = [_means(run, end - run.steps) for run, end in zip(runs, ends, strict=True)]
    values = [loss for run in points for _, loss in run]
    low, high = math.floor(min(values) * 100) / 100, math.ceil(max(values) * 100) / 100

    def left(step: float) -> str:
        return f"{_LEFT + step / ends[-1] * _ACROSS:.1f}"

    def top(loss: float) -> str:
        return f"{_TOP + _DOWN - (loss - low) / (high - low) * _DOWN:.1f}"

    lines = opening(title, WIDTH, HEIGHT, WIDTH / 2)
    for number in range(round((high - low) * 100) + 1):
        y, tick = top(low + number / 100), f"{low + number / 100:.2f}"
        lines += [
            f'<line x1="{_LEFT}" x2="{_LEFT + _ACROSS}" y1="{y}" y2="{y}" stroke="{GRAY}"/>',
            f'<text x="{_LEFT - 8}" y="{y}" text-anchor="end" dominant-baseline="middle" fill="{DARK}">{tick}</text>',
        ]
    for step in range(0, ends[-1] + 1, 2000):
        lines.append(f'<text x="{left(step)}" y="{_TOP + _DOWN + 18}" text-anchor="middle" fill="{DARK}">{step}</text>')
    for end in ends[:-1]:
        x = left(end)
        lines.append(
            f'<line x1="{x}" x2="{x}" y1="{_TOP}" y2="{_TOP + _DOWN}" stroke="{DARK}" stroke-dasharray="6 4"/>'
        )
    for run in points:
        path = " ".join(f"{left(step)},{top(loss)}" for step, loss in run)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{BLUE}" stroke-width="1.5"/>')
    lines.append(
        f'<text x="{_LEFT + _ACROSS / 2}" y="{_TOP + _DOWN + 40}" text-anchor="middle" fill="{DARK}">'
        "step; mean absolute error of RGB in [0, 1], mean of twenty lines of the log</text>"
    )
    return "\n".join([*lines, "</svg>", ""])


def _means(run: RunLog, before: int) -> list[tuple[float, float]]:
    """Step, counted from the first run's first, and loss of each twenty lines; what is left over joins the last."""
    starts = [*range(0, max(1, len(run.losses) - _MEAN_OF + 1), _MEAN_OF), len(run.losses)]
    groups = [run.losses[first:last] for first, last in pairwise(starts)]
    return [(before + fmean(step for step, _ in group), fmean(loss for _, loss in group)) for group in groups]
