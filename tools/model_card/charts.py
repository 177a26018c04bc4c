"""The charts, as SVG text. The same data gives the same text, byte for byte."""

import io
import math
from collections.abc import Sequence
from typing import Any

from matplotlib import style
from matplotlib.figure import Figure

_BLUE, _GRAY, _DARK = "#0b62b8", "#c9ced4", "#24292f"
_STYLE: Any = {
    "axes.edgecolor": _GRAY,
    "axes.labelcolor": _DARK,
    "axes.titlesize": 11,
    "figure.facecolor": "white",
    "font.family": "sans-serif",
    "grid.color": _GRAY,
    "svg.fonttype": "none",  # text stays text, in the reader's own font
    "svg.hashsalt": "ttsr",
    "text.color": _DARK,
    "xtick.color": _DARK,
    "ytick.color": _DARK,
}
_TICK_DB = 0.5


def loss_chart(title: str, curves: Sequence[Sequence[tuple[float, float]]], stage_ends: Sequence[float]) -> str:
    """Draw the loss over the hours of all stages.

    Args:
        title: text above the chart.
        curves: for each stage its points (hours, mean absolute error), the hours counted from the first stage on.
        stage_ends: the end of each stage in hours, counted likewise; a dashed line marks each but the last.
    """
    with style.context(("default", _STYLE)):
        figure = Figure(figsize=(7.5, 3.75), layout="constrained")
        axes = figure.add_subplot(title=title, xlim=(0, stage_ends[-1]), xlabel="hours")
        axes.set_ylabel("mean absolute error, RGB in [0, 1]")
        axes.grid(axis="y")
        for number, end in enumerate(stage_ends[:-1], 1):
            axes.axvline(end, color=_DARK, linestyle="--", linewidth=1, gid=f"stage-end-{number}")
        for number, curve in enumerate(curves, 1):
            if curve:
                axes.plot(*zip(*curve, strict=True), color=_BLUE, linewidth=1.5, gid=f"stage-{number}")
        return _svg(figure)


def gains_chart(title: str, x_label: str, y_label: str, gains: Sequence[tuple[float, float]]) -> str:
    """Draw gains of one kind over gains of another: a dot for each picture, two equal axes, and their diagonal.

    Args:
        title: text above the chart.
        x_label: text below the horizontal axis.
        y_label: text beside the vertical axis.
        gains: in dB, (x, y) for each picture; infinite ones are left out.
    """
    finite = [gain for gain in gains if all(map(math.isfinite, gain))]
    values = [0.0, *(value for gain in finite for value in gain)]
    low = math.floor(min(values) / _TICK_DB) * _TICK_DB
    high = max(math.ceil(max(values) / _TICK_DB) * _TICK_DB, low + _TICK_DB)
    ticks = [low + number * _TICK_DB for number in range(round((high - low) / _TICK_DB) + 1)]
    with style.context(("default", _STYLE)):
        figure = Figure(figsize=(5.5, 5.5), layout="constrained")
        axes = figure.add_subplot(title=title, xlabel=x_label, ylabel=y_label, aspect="equal")
        axes.set(xlim=(low, high), ylim=(low, high), xticks=ticks, yticks=ticks)
        axes.grid(zorder=0)
        axes.axhline(0, color=_DARK, linewidth=1)
        axes.axvline(0, color=_DARK, linewidth=1)
        axes.plot((low, high), (low, high), color=_DARK, linestyle="--", linewidth=1, gid="diagonal")
        x, y = zip(*finite, strict=True) if finite else ((), ())
        axes.scatter(x, y, s=40, color=_BLUE, alpha=0.75, edgecolors="white", clip_on=False, zorder=3, gid="pictures")
        return _svg(figure)


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Creator": None, "Date": None})
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"
