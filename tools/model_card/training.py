"""What a model card says of the training: the runs, their loss, and the photographs."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from statistics import fmean

from model_card.charts import loss_chart
from ttsr.data.manifest import MANIFEST, open_rows, read_manifest
from ttsr.data.store import open_store
from ttsr.errors import DataError

LOGS = Path(__file__).parent / "logs"
"""Logs of the runs behind the published weights."""
_LOGS_URL = "../tools/model_card/logs"  # from docs/

_LINES_PER_POINT = 20
"""The loss of a single step depends mostly on how hard its few crops are; the chart shows means of so many lines."""


@dataclass(frozen=True)
class RunLog:
    """The log of a training run.

    Attributes:
        file: of the log.
        steps: length of the run.
        seconds: duration of the run.
        losses: step and reconstruction loss of each line.
    """

    file: Path
    steps: int
    seconds: float
    losses: list[tuple[int, float]]


def read_runs(folder: Path, model: str) -> list[RunLog]:
    """Read the logs MODEL.jsonl, MODEL-2.jsonl, ... of a folder, up to the first missing number.

    Raises:
        DataError: one of them is not a log.
    """
    runs: list[RunLog] = []
    while (file := folder / f"{model}{f'-{len(runs) + 1}' if runs else ''}.jsonl").is_file():
        try:
            lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
            losses = [(int(line["step"]), float(line["rec"])) for line in lines if "rec" in line]
            steps = [line for line in lines if "seconds" in line]
            runs.append(RunLog(file, int(steps[-1]["step"]), float(steps[-1]["seconds"]), losses))
        except (ValueError, KeyError, TypeError, IndexError):
            raise DataError(f"{file}: not a log of ttsr train") from None
    return runs


def mean_losses(runs: Sequence[RunLog]) -> list[list[tuple[float, float]]]:
    """For each run the means of step and loss over twenty lines each; a shorter rest joins the last mean.

    Steps are counted from the first run on.
    """
    curves: list[list[tuple[float, float]]] = []
    steps_before = 0
    for run in runs:
        starts = [*range(0, max(1, len(run.losses) - _LINES_PER_POINT + 1), _LINES_PER_POINT), len(run.losses)]
        groups = [run.losses[first:last] for first, last in pairwise(starts)]
        curves.append(
            [(steps_before + fmean(s for s, _ in group), fmean(loss for _, loss in group)) for group in groups]
        )
        steps_before += run.steps
    return curves


def runs_chart(model: str, runs: Sequence[RunLog]) -> str:
    """Draw the loss over all runs, as SVG."""
    title = f"{model}: loss over all runs, means of {_LINES_PER_POINT} lines of the log"
    return loss_chart(title, mean_losses(runs), list(accumulate(run.steps for run in runs)))


def runs_table(runs: Sequence[RunLog]) -> str:
    """List length, duration and log of each run, in Markdown."""
    lines = ["| run | steps | duration | log |", "|---|---|---|---|"]
    for number, run in enumerate(runs, 1):
        hours, minutes = divmod(round(run.seconds / 60), 60)
        log = f"[{run.file.name}]({_LOGS_URL}/{run.file.name})"
        lines.append(f"| {number} | {run.steps} | {hours} h {minutes:02} min | {log} |")
    return "\n".join(lines)


def data_table(folder: Path) -> str:
    """List a training folder's open photos by source and licence, the largest first, in Markdown.

    Raises:
        DataError: the manifest is missing, lists no open photos, or one without a source or licence.
    """
    store = open_store(folder)
    rows = read_manifest(store)
    if rows is None:
        raise DataError(f"{folder}: has no {MANIFEST}", "add one that lists the photos' sources and licences")
    rows = open_rows(rows, store)
    for row in rows:
        missing = [name for name in ("source", "licence") if not row.get(name)]
        if missing:
            raise DataError(f"{store.shown(MANIFEST)}: no {missing[0]} for {row['file']}", "fill it in")
    counts = Counter((row["source"], row["licence"]) for row in rows)
    sources = Counter(row["source"] for row in rows)
    lines = [
        f"{len(rows)} photographs whose licences allow use and redistribution:",
        "",
        "| source | photos | licence, and where it is stated |",
        "|---|---|---|",
    ]
    for source, licence in sorted(counts, key=lambda key: (-sources[key[0]], key[0], -counts[key], key[1])):
        lines.append(f"| {_cell(source)} | {counts[source, licence]} | {_cell(licence)} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
