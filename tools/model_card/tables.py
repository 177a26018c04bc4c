"""Mean scores as Markdown tables."""

from collections.abc import Sequence
from itertools import pairwise

from model_card.measuring import NUMBERED, row_of, with_every_level
from ttsr.evaluation.protocols import PAPER_Y, Protocol, Score
from ttsr.evaluation.reference_choice import DESCRIBED
from ttsr.evaluation.report import Report, Row


def levels_table(report: Report) -> str:
    """PSNR and SSIM by `paper-y` for each choice of references: over all pictures, and over those with all five."""
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
        lines.append(_line([DESCRIBED[row.reference], has, *cells]))
    return "\n".join(lines)


def order(report: Report) -> str:
    """Whether mean PSNR falls from each reference to the next, less similar one, in a sentence.

    Over the pictures that have all five: over the others, one reference stands in for several.
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
    """PSNR, SSIM and gain over bicubic for each choice of references under every protocol."""
    lines = [_line(["reference", *(f"`{protocol.name}`" for protocol in report.protocols)])]
    lines.append(_line(["---"] * (len(report.protocols) + 1)))
    for words, row in report.bicubic_rows(report.protocols):
        which = f"bicubic, {words}" if words else "bicubic"
        lines.append(_line([which, *(_shown(row.bicubic_mean(protocol)) for protocol in report.protocols)]))
    for row in report.rows:
        cells = [f"{_shown(row.model_mean(p))} ({row.gain(p).psnr:+z.2f})" for p in report.protocols]
        lines.append(_line([DESCRIBED[row.reference], *cells]))
    return "\n".join(lines)


def gains(report: Report, protocol: Protocol) -> str:
    """How many pictures gained over bicubic with reference 1, and how much, in a sentence."""
    each = sorted(picture.gain(protocol).psnr for picture in row_of(report, "1").pictures)
    middle = (each[(len(each) - 1) // 2] + each[len(each) // 2]) / 2
    return (
        f"With reference 1, {sum(gain > 0 for gain in each)} of {len(each)} pictures gained over bicubic by "
        f"`{protocol.name}`: {each[0]:+z.2f} dB at least, {middle:+z.2f} dB in the median, {each[-1]:+z.2f} dB at most."
    )


def _level_heads(pictures: str) -> list[str]:
    return [f"{pictures}: PSNR, SSIM", "against bicubic", "against the LR itself"]


def _bicubic_cells(report: Report) -> list[str]:
    return [_shown(report.rows[0].bicubic_mean(PAPER_Y)), "", ""]


def _level_cells(row: Row, report: Report) -> list[str]:
    mean, itself = row.model_mean(PAPER_Y), row_of(report, "lr").model_mean(PAPER_Y)
    over_itself = "" if row.reference == "lr" else f"{mean.over(itself).psnr:+z.2f} dB"
    return [_shown(mean), f"{row.gain(PAPER_Y).psnr:+z.2f} dB", over_itself]


def _shown(score: Score) -> str:
    return f"{score.psnr:.2f}, {score.ssim:.4f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
