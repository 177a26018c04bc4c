"""Mean scores as Markdown tables, and the gains that `ttsr-lite` must reach."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from model_card.measuring import NUMBERED, row_of, with_every_level
from ttsr.data.cufed5 import ReferenceChoice
from ttsr.evaluation.protocols import PAPER_Y, Protocol, Score
from ttsr.evaluation.reference_choice import REFERENCE_LABELS
from ttsr.evaluation.report import Report, Row


@dataclass(frozen=True)
class RequiredGain:
    """The least gain in mean PSNR (`paper-y`) with a choice of references.

    Attributes:
        reference: the choice of references.
        over: the choice to compare with; None for bicubic.
        least: in dB.
    """

    reference: ReferenceChoice
    over: ReferenceChoice | None
    least: float

    @property
    def description(self) -> str:
        """What is compared."""
        return f"{REFERENCE_LABELS[self.reference]} over {REFERENCE_LABELS[self.over] if self.over else 'bicubic'}"

    def measured(self, report: Report) -> float:
        """Measure the gain, in dB."""
        row = row_of(report, self.reference)
        other = row_of(report, self.over).model_mean(PAPER_Y) if self.over else row.bicubic_mean(PAPER_Y)
        return row.model_mean(PAPER_Y).over(other).psnr

    def is_met(self, report: Report) -> bool:
        """Tell whether the unrounded gain suffices."""
        return self.measured(report) >= self.least


REQUIRED_MODEL = "ttsr-lite"
"""The model that the required gains are for: the default."""
REQUIRED_GAINS = (
    RequiredGain("1", None, 3.4),
    RequiredGain("none", None, 2.0),
    RequiredGain("lr", None, 2.0),
    RequiredGain("1", "none", 1.5),
    RequiredGain("unrelated", "none", -0.02),
)


def required_gains_table(report: Report) -> str:
    """List the required and measured gains."""
    lines = ["| gain in mean PSNR, `paper-y` | required | measured | |", "|---|---|---|---|"]
    for gain in REQUIRED_GAINS:
        verdict = "met" if gain.is_met(report) else "**missed**"
        lines.append(f"| {gain.description} | {gain.least:+.2f} dB | {gain.measured(report):+z.3f} dB | {verdict} |")
    return "\n".join(lines)


def levels_table(report: Report) -> str:
    """List PSNR and SSIM by `paper-y` for each choice of references, over all pictures and those with all five."""
    full = with_every_level(report)
    count = report.num_pictures
    heads = ["reference", "pictures that have it", *_level_heads(f"all {count}")]
    if full is not None:
        heads += _level_heads(f"the {full.num_pictures} with five")
    lines = [_line(heads), _line(["---"] * len(heads))]
    lines.append(_line(["bicubic", "", *_bicubic_cells(report), *(_bicubic_cells(full) if full else [])]))
    for row in report.rows:
        has = f"{count - len(row.substituted)}" if row.reference in NUMBERED else ""
        cells = _level_cells(row, report) + (_level_cells(row_of(full, row.reference), full) if full else [])
        lines.append(_line([REFERENCE_LABELS[row.reference], has, *cells]))
    return "\n".join(lines)


def scores_table(report: Report) -> str:
    """List PSNR, SSIM, GMSD, HaarPSI and NIQE by `paper-y` for each choice of references, over all pictures."""
    lines = [_line(["reference", "PSNR", "over bicubic", "SSIM", "GMSD ↓", "HaarPSI", "NIQE ↓"])]
    lines.append(_line(["---"] * 7))
    bicubic = report.rows[0].bicubic_mean(PAPER_Y)
    rows = [("bicubic", bicubic, "")]
    rows += [
        (REFERENCE_LABELS[row.reference], row.model_mean(PAPER_Y), f"{row.gain(PAPER_Y).psnr:+z.2f} dB")
        for row in report.rows
    ]
    for label, mean, gain in rows:
        psnr, ssim, _, *others = mean.texts()
        lines.append(_line([label, psnr, gain, ssim, *others]))
    return "\n".join(lines)


def order(report: Report) -> str:
    """Tell in a sentence whether mean PSNR falls from each reference to the next, less similar one.

    Over the pictures that have all five: in the others, one reference serves as several.
    """
    full = with_every_level(report)
    if full is None:
        return "No picture has all five references, so that their order cannot be judged."
    means = {reference: row_of(full, reference).model_mean(PAPER_Y).psnr for reference in NUMBERED}
    rises = [
        f"from {near} to {far} by {means[far] - means[near]:+z.2f} dB"
        for near, far in pairwise(NUMBERED)
        if means[far] > means[near]
    ]
    who = "On the one picture" if full.num_pictures == 1 else f"On the {full.num_pictures} pictures"
    if not rises:
        return f"{who} with all five references PSNR falls from each reference to the next, less similar one."
    return f"{who} with all five references PSNR does not fall everywhere from reference 1 to 5: {', '.join(rises)}."


def protocols_table(report: Report) -> str:
    """List PSNR, SSIM and gain over bicubic for each choice of references under every protocol."""
    lines = [_line(["reference", *(f"`{protocol.name}`" for protocol in report.protocols)])]
    lines.append(_line(["---"] * (len(report.protocols) + 1)))
    for words, row in report.bicubic_rows(report.protocols):
        which = f"bicubic, {words}" if words else "bicubic"
        lines.append(_line([which, *(_shown(row.bicubic_mean(protocol)) for protocol in report.protocols)]))
    for row in report.rows:
        cells = [f"{_shown(row.model_mean(p))} ({row.gain(p).psnr:+z.2f})" for p in report.protocols]
        lines.append(_line([REFERENCE_LABELS[row.reference], *cells]))
    return "\n".join(lines)


def gains(report: Report, protocol: Protocol) -> str:
    """Tell in a sentence how many pictures gained over bicubic with reference 1, and how much."""
    each = sorted(picture.gain(protocol).psnr for picture in row_of(report, "1").pictures)
    median = (each[(len(each) - 1) // 2] + each[len(each) // 2]) / 2
    return (
        f"With reference 1, {sum(gain > 0 for gain in each)} of {len(each)} pictures gained over bicubic by "
        f"`{protocol.name}`: {each[0]:+z.2f} dB at least, {median:+z.2f} dB in the median, {each[-1]:+z.2f} dB at most."
    )


def _level_heads(pictures: str) -> list[str]:
    return [f"{pictures}: PSNR, SSIM", "over bicubic", "over no reference"]


def _bicubic_cells(report: Report) -> list[str]:
    return [_shown(report.rows[0].bicubic_mean(PAPER_Y)), "", ""]


def _level_cells(row: Row, report: Report) -> list[str]:
    mean, own = row.model_mean(PAPER_Y), row_of(report, "none").model_mean(PAPER_Y)
    over_own = "" if row.reference == "none" else f"{mean.over(own).psnr:+z.2f} dB"
    return [_shown(mean), f"{row.gain(PAPER_Y).psnr:+z.2f} dB", over_own]


def _shown(score: Score) -> str:
    return f"{score.psnr:.2f}, {score.ssim:.4f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
