"""A model's scores on a test set, with every choice of references, under every protocol, and its time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

import torch

from ttsr.data.cufed5 import Group, ReferenceChoice
from ttsr.evaluation.preflight import check_test_set
from ttsr.evaluation.protocols import PAPER_Y, PROTOCOLS
from ttsr.evaluation.report import Report, Row, make_rows
from ttsr.evaluation.scored_picture import PictureScore, score_picture
from ttsr.evaluation.scoring import evaluate
from ttsr.inference.matching_choices import choose_matching
from ttsr.models.ttsr import TTSR
from ttsr.progress import Progress
from ttsr.system.threads import use_threads

NUMBERED: tuple[ReferenceChoice, ...] = ("1", "2", "3", "4", "5")
CHOICES: tuple[ReferenceChoice, ...] = ("none", "lr", "unrelated", *NUMBERED, "all")
"""The choices of references that are scored by `paper-y`."""
FEW_CHOICES: tuple[ReferenceChoice, ...] = ("none", "lr", "unrelated", "1")
"""Those of a model beside the default one."""
PROTOCOL_CHOICES: tuple[ReferenceChoice, ...] = ("none", "1")
"""Those that are scored by every protocol."""

_NUM_EXTREMES, _NUM_MEDIAN = 3, 4
"""How many of the best and of the worst pictures are shown, and how many between them."""
_TIMED_EVERY = 6
"""Of how many pictures one is timed."""

Category = Literal["best", "median", "worst"]


@dataclass(frozen=True)
class Measurement:
    """The scores of a model.

    Attributes:
        by_reference: with each choice of references, by `paper-y`.
        by_protocol: with `PROTOCOL_CHOICES`, by all protocols.
        num_parameters: of the network.
        cpu_seconds: for each of `PROTOCOL_CHOICES`, mean processor time of a picture on one thread.
    """

    by_reference: Report
    by_protocol: Report
    num_parameters: int
    cpu_seconds: dict[ReferenceChoice, float]


def measure(
    name: str,
    model: TTSR,
    groups: Sequence[Group],
    progress: Progress | None = None,
    choices: Sequence[ReferenceChoice] = CHOICES,
) -> Measurement:
    """Score a model; the scores equal those of `ttsr evaluate`.

    The network sees the same input only once: several choices give the same reference where a picture has few.

    Args:
        name: what to call the model.
        model: in eval mode, on the device to compute on.
        groups: of `ttsr.data.cufed5.list_groups`.
        progress: updated after each picture.
        choices: of references, `PROTOCOL_CHOICES` among them.

    Raises:
        DataError: a group has no reference, or there are fewer than two groups.
        ImageError: a picture is unreadable or too small to score.
        UserError: a picture does not fit into memory.
    """
    protocols = tuple(PROTOCOLS.values())
    chosen, matching = check_test_set(groups, choices, protocols), choose_matching(model.config)
    scores: list[PictureScore] = []
    for number, group in enumerate(groups):
        seen: dict[object, PictureScore] = {}
        for reference in choices:
            choice = chosen[reference][number]
            inputs = choice.files or reference
            if inputs not in seen:
                scored_by = protocols if reference in PROTOCOL_CHOICES else (PAPER_Y,)
                seen[inputs] = score_picture(model, number, group, reference, choice, scored_by, matching)[0]
            scores.append(replace(seen[inputs], reference=reference, substituted=choice.substituted))
        if progress is not None:
            progress.update((number + 1) / len(groups))
    every = make_rows(name, [score for score in scores if score.reference in PROTOCOL_CHOICES], PROTOCOL_CHOICES)
    return Measurement(
        Report((PAPER_Y,), tuple(make_rows(name, [_by_paper_y(score) for score in scores], choices))),
        Report(protocols, tuple(every)),
        sum(parameter.numel() for parameter in model.parameters()),
        _time(model, groups),
    )


def _by_paper_y(score: PictureScore) -> PictureScore:
    model, bicubic = ({PAPER_Y.name: scores[PAPER_Y.name]} for scores in (score.model, score.bicubic))
    return replace(score, model=model, bicubic=bicubic)


def _time(model: TTSR, groups: Sequence[Group]) -> dict[ReferenceChoice, float]:
    """Processor time on one thread: other work on the machine changes it less than the time that passes."""
    threads = torch.get_num_threads()
    use_threads(1)
    try:
        timed = groups[::_TIMED_EVERY]
        scores = evaluate(model, timed, references=PROTOCOL_CHOICES, protocols=(PAPER_Y,))
    finally:
        use_threads(threads)
    return {choice: fmean(s.cpu_seconds for s in scores if s.reference == choice) for choice in PROTOCOL_CHOICES}


def row_of(report: Report, reference: ReferenceChoice) -> Row:
    """Return the row with that choice of references; the report must have it."""
    return next(row for row in report.rows if row.reference == reference)


def with_every_level(report: Report) -> Report | None:
    """Restrict a report to the pictures that have all five references; None where no picture has."""
    names = {picture.name for picture in row_of(report, NUMBERED[-1]).pictures if not picture.substituted}
    rows = (replace(row, pictures=tuple(p for p in row.pictures if p.name in names)) for row in report.rows)
    return Report(report.protocols, tuple(rows)) if names else None


@dataclass(frozen=True)
class Exhibit:
    """A picture to show.

    Attributes:
        category: why it is shown.
        place: within the category, from 1 on, in falling order of gain.
        score: with reference 1.
    """

    category: Category
    place: int
    score: PictureScore

    @property
    def file_name(self) -> str:
        """The comparison's file. Without the picture's name, so that a later run overwrites it."""
        return f"{self.category}-{self.place}.jpg"


def exhibits(pictures: Sequence[PictureScore]) -> list[Exhibit]:
    """Select the best three, middle four and worst three pictures by gain over bicubic (PSNR, `paper-y`).

    No picture is selected twice. With fewer than ten pictures the best are filled first, then the worst.
    """
    ordered = sorted(pictures, key=lambda picture: (-picture.gain(PAPER_Y).psnr, picture.name))
    best, rest = ordered[:_NUM_EXTREMES], ordered[_NUM_EXTREMES:]
    middle, worst = rest[:-_NUM_EXTREMES], rest[-_NUM_EXTREMES:]
    start = max(0, (len(middle) - _NUM_MEDIAN) // 2)
    categories: dict[Category, list[PictureScore]] = {
        "best": best,
        "median": middle[start : start + _NUM_MEDIAN],
        "worst": worst,
    }
    return [Exhibit(name, place, score) for name, scores in categories.items() for place, score in enumerate(scores, 1)]
