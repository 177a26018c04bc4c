"""What `ttsr-lite` must reach on the development set, and whether it does."""

from dataclasses import dataclass

from model_card.measuring import row_of
from ttsr.data.cufed5 import ReferenceChoice
from ttsr.evaluation.protocols import PAPER_Y
from ttsr.evaluation.reference_choice import DESCRIBED
from ttsr.evaluation.report import Report

FLOORED = "ttsr-lite"
"""The model that the floors are set for: the default."""


@dataclass(frozen=True)
class Floor:
    """The least difference of mean PSNR (`paper-y`, dB) of a choice of references from another, or from bicubic."""

    reference: ReferenceChoice
    against: ReferenceChoice | None
    least: float

    @property
    def words(self) -> str:
        """What is compared."""
        return f"{DESCRIBED[self.reference]} against {DESCRIBED[self.against] if self.against else 'bicubic'}"

    def measured(self, report: Report) -> float:
        """The difference in dB."""
        row = row_of(report, self.reference)
        other = row_of(report, self.against).model_mean(PAPER_Y) if self.against else row.bicubic_mean(PAPER_Y)
        return row.model_mean(PAPER_Y).over(other).psnr

    def is_met(self, report: Report) -> bool:
        """By the exact difference, not by its shown digits."""
        return self.measured(report) >= self.least


FLOORS = (Floor("1", None, 2.1), Floor("1", "lr", 1.2), Floor("unrelated", "lr", -0.05))


def floors_table(report: Report) -> str:
    """A Markdown table: asked for, measured, and met or missed."""
    lines = ["| mean PSNR, `paper-y` | at least | measured | |", "|---|---|---|---|"]
    for floor in FLOORS:
        verdict = "met" if floor.is_met(report) else "**missed**"
        lines.append(f"| {floor.words} | {floor.least:+.2f} dB | {floor.measured(report):+z.3f} dB | {verdict} |")
    return "\n".join(lines)
