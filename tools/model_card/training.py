"""What a model card says of the training: its stages, their loss, and the photographs."""

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
"""Logs of the training behind the published weights: for each model a folder with a log of each stage of its recipe."""
_LOGS_URL = "../tools/model_card/logs"  # from docs/

_LINES_PER_POINT = 4
"""The loss of few steps depends mostly on how hard their crops are; the chart shows means of so many lines of the log,
of 100 steps each in our recipes."""


@dataclass(frozen=True)
class StageLog:
    """The log of a stage of training.

    Attributes:
        file: of the log, NUMBER-NAME.jsonl.
        steps: length of the stage.
        seconds: duration of the stage.
        losses: seconds and reconstruction loss of each line that has one; the extractor alone has none.
    """

    file: Path
    steps: int
    seconds: float
    losses: list[tuple[float, float]]

    @property
    def number(self) -> int:
        """The stage's place in the recipe, from 1 on."""
        return int(self.file.stem.partition("-")[0])

    @property
    def name(self) -> str:
        """The stage's name."""
        return self.file.stem.partition("-")[2]


def read_stages(folder: Path, model: str) -> list[StageLog]:
    """Read the logs MODEL/1-NAME.jsonl, MODEL/2-NAME.jsonl, ... of a folder, in the order of their numbers.

    Raises:
        DataError: one of them is not a log, or has no number.
    """
    files = {file: file.stem.partition("-")[0] for file in (folder / model).glob("*.jsonl")}
    for file, number in files.items():
        if not number.isdecimal():
            raise DataError(f"{file}: is not named after a stage", "call it 1-NAME.jsonl, 2-NAME.jsonl, ...")
    return [_read_stage(file) for file in sorted(files, key=lambda file: int(files[file]))]


def _read_stage(file: Path) -> StageLog:
    try:
        lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        steps = [line for line in lines if "seconds" in line]
        losses = [(float(line["seconds"]), float(line["rec"])) for line in steps if "rec" in line]
        return StageLog(file, int(steps[-1]["step"]), float(steps[-1]["seconds"]), losses)
    except (ValueError, KeyError, TypeError, IndexError):
        raise DataError(f"{file}: not a log of ttsr train") from None


def mean_losses(stages: Sequence[StageLog]) -> list[list[tuple[float, float]]]:
    """For each stage the means of hours and loss over four lines each; a shorter rest joins the last mean.

    Hours are counted from the first stage on. A stage without a reconstruction loss has no points.
    """
    curves: list[list[tuple[float, float]]] = []
    seconds_before = 0.0
    for stage in stages:
        starts = [*range(0, max(1, len(stage.losses) - _LINES_PER_POINT + 1), _LINES_PER_POINT), len(stage.losses)]
        groups = [stage.losses[first:last] for first, last in pairwise(starts) if first < last]
        means = [(fmean(seconds for seconds, _ in group), fmean(loss for _, loss in group)) for group in groups]
        curves.append([((seconds_before + seconds) / 3600, loss) for seconds, loss in means])
        seconds_before += stage.seconds
    return curves


def stages_chart(model: str, stages: Sequence[StageLog]) -> str:
    """Draw the reconstruction loss over all stages, as SVG."""
    title = f"{model}: loss over all stages, means of {_LINES_PER_POINT} lines of the log"
    return loss_chart(title, mean_losses(stages), [end / 3600 for end in accumulate(stage.seconds for stage in stages)])


def stages_table(stages: Sequence[StageLog]) -> str:
    """List length, duration and log of each stage, and the duration of all, in Markdown."""
    lines = ["| stage | steps | duration | log |", "|---|---|---|---|"]
    for stage in stages:
        log = f"[{stage.file.name}]({_LOGS_URL}/{stage.file.parent.name}/{stage.file.name})"
        lines.append(f"| {stage.number}. {stage.name} | {stage.steps} | {_duration(stage.seconds)} | {log} |")
    lines.append(f"| all | {sum(s.steps for s in stages)} | {_duration(sum(s.seconds for s in stages))} | |")
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min"


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
