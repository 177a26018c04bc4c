"""The text of `docs/quality.md`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model_card.choosing import Exhibit
from model_card.floors import FLOORED, floors_table
from model_card.measuring import row_of, with_every_level
from model_card.scatter import Dot, scatter
from model_card.tables import gains, levels_table, order, protocols_table
from ttsr import __version__
from ttsr.evaluation.protocols import PAPER_Y
from ttsr.evaluation.report import Report

_COMMAND = "make quality DEV=TEST TRAIN=PHOTOS"


@dataclass(frozen=True)
class Findings:
    """What there is to tell of one model.

    Attributes:
        model: its name.
        sha256: of its weights' file.
        report: of `quality.measuring.measure`.
        exhibits: the pictures whose strips were made.
        scatter: the scatter's file, relative to the page.
        comparisons: Markdown that shows the pairs that ship.
        folder: of the strips, which are not committed, as readers are to call it.
    """

    model: str
    sha256: str
    report: Report
    exhibits: Sequence[Exhibit]
    scatter: str
    comparisons: str
    folder: str


def quality_page(findings: Sequence[Findings], scenes: Mapping[str, str]) -> str:
    """The whole page.

    Args:
        findings: of each model, on the same pictures.
        scenes: what each picture of the test set shows, by name, as far as it is known.
    """
    parts = [_HEAD.format(counted=findings[0].report.counted, command=_COMMAND)]
    parts += [_section(found, scenes) for found in findings]
    parts.append(_made_by(findings))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def model_scores(report: Report) -> str:
    """A model card's scores in Markdown: every choice of references under every protocol."""
    return f"{protocols_table(report)}\n\n{_BRACKETS} {gains(report, PAPER_Y)}"


def gains_scatter(model: str, report: Report) -> str:
    """SVG: each picture's gain over bicubic with reference 1 against that with the LR itself."""
    itself, first = (row_of(report, reference).pictures for reference in ("lr", "1"))
    dots = [
        Dot(one.name, own.gain(PAPER_Y).psnr, one.gain(PAPER_Y).psnr) for own, one in zip(itself, first, strict=True)
    ]
    across, up = (f"gain over bicubic with {which}, dB" for which in ("the LR itself", "reference 1"))
    return scatter(f"{model}: {report.counted}", across, up, dots)


_HEAD = (
    "# Quality\n\n"
    "`{command}` measures and writes all of this page; nothing in it is written by hand. TEST is a development set in "
    "CUFED5's layout ({counted}: a truth, and photographs of the same thing as references, reference 1 the most "
    "similar); no model of ours was trained on it. How scores are taken: [scoring.md](scoring.md). Means are over "
    "pictures, PSNR is in dB."
)

_BRACKETS = (
    "PSNR, SSIM, and in brackets the gain in PSNR over bicubic of the same LR. A picture without a reference of some "
    "number was given its last one."
)

_BY_REFERENCE = (
    "By `paper-y`. A picture without a reference of some number was given its last one{without}. "
    '"All references": all of a picture\'s at once.'
)

_WITHOUT = "; the columns at the right leave out all pictures that lack one"

_NOT_COMMITTED = (
    "By gain over bicubic with reference 1. Their pictures are not in the repository, for no licence of the "
    "development set allows to pass its photographs on; the command makes them in `{folder}`: the small photo, "
    "bicubic, the reference, the result and the truth side by side."
)


def _section(found: Findings, scenes: Mapping[str, str]) -> str:
    report = found.report
    parts = [
        f"## {found.model}",
        "### By reference",
        levels_table(report),
        f"{_BY_REFERENCE.format(without=_WITHOUT if with_every_level(report) else '')} {order(report)}",
    ]
    if found.model == FLOORED:
        parts += ["The floors that the project set itself:", floors_table(report)]
    parts += [
        "### Every picture",
        f"![Gain with reference 1 against gain with the LR itself, one dot a picture]({found.scatter})",
        f"{_above(report)} {gains(report, PAPER_Y)}",
        "### Best, median and worst",
        _NOT_COMMITTED.format(folder=found.folder),
        _exhibits(found.exhibits, scenes),
        "### The pairs that ship",
        found.comparisons,
        "### Under every protocol",
        protocols_table(report),
        _BRACKETS,
    ]
    return "\n\n".join(parts)


def _above(report: Report) -> str:
    itself, first = (row_of(report, reference).pictures for reference in ("lr", "1"))
    gained = [
        one.model[PAPER_Y.name].psnr > own.model[PAPER_Y.name].psnr for own, one in zip(itself, first, strict=True)
    ]
    return f"Above the diagonal, where reference 1 helped more than the LR itself: {sum(gained)} of {report.counted}."


def _exhibits(exhibits: Sequence[Exhibit], scenes: Mapping[str, str]) -> str:
    lines = ["| | picture | bicubic | result | gain | file |", "|---|---|---|---|---|---|"]
    for one in exhibits:
        score, scene = one.score, scenes.get(one.score.name)
        name = f"{score.name} ({scene})" if scene else score.name
        before, after = (scored[PAPER_Y.name].psnr for scored in (score.bicubic, score.model))
        gain = score.gain(PAPER_Y).psnr
        lines.append(
            f"| {one.among} {one.place} | {name} | {before:.2f} dB | {after:.2f} dB | {gain:+z.2f} dB "
            f"| `{one.file_name}` |"
        )
    return "\n".join(lines)


def _made_by(findings: Sequence[Findings]) -> str:
    models = " ".join(found.model for found in findings)
    chosen = "" if models == FLOORED else f' MODEL="{models}"'
    lines = ["## Made by", f"    {_COMMAND}{chosen}", f"ttsr {__version__}, with these weights:"]
    weights = ["| model | sha256 of its file |", "|---|---|"]
    weights += [f"| {found.model} | `{found.sha256}` |" for found in findings]
    return "\n\n".join([*lines, "\n".join(weights)])
