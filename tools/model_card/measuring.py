"""A model's scores on a test set, with every choice of references and under every protocol."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from ttsr.data.cufed5 import Group, ReferenceChoice
from ttsr.evaluation.preflight import check_reference, check_truth
from ttsr.evaluation.protocols import PROTOCOLS
from ttsr.evaluation.reference_choice import choose
from ttsr.evaluation.report import Report, Row, make_rows
from ttsr.evaluation.scored_picture import PictureScore, score_picture
from ttsr.evaluation.ssim import scikit_image_ssim
from ttsr.models.ttsr import TTSR

NUMBERED: tuple[ReferenceChoice, ...] = ("1", "2", "3", "4", "5")
CHOICES: tuple[ReferenceChoice, ...] = ("lr", "unrelated", *NUMBERED, "all")


def measure(name: str, model: TTSR, groups: Sequence[Group], progress: Callable[[float], None]) -> Report:
    """Score a model with all of `CHOICES` under all protocols; the scores are those of `ttsr evaluate`.

    The network sees the same pictures only once: a picture's last reference also stands in for those that it lacks,
    and is all that it has where there is one.

    Args:
        name: what to call the model.
        model: in eval mode, on the device to compute on.
        groups: of `ttsr.data.cufed5.list_groups`.
        progress: called with the fraction done.

    Raises:
        DataError: a group has no reference, or there are fewer than two groups.
        ImageError: a picture cannot be read or is too small to score.
        UserError: scikit-image is not installed, or a picture does not fit into memory.
    """
    scikit_image_ssim()
    protocols = tuple(PROTOCOLS.values())
    chosen = {reference: choose(groups, reference) for reference in CHOICES}
    for group in groups:
        check_truth(group.hr, protocols)
        for path in group.references.values():
            check_reference(path)
    scores: list[PictureScore] = []
    for number, group in enumerate(groups):
        seen: dict[object, PictureScore] = {}
        for reference in CHOICES:
            its = chosen[reference][number]
            inputs = its.files or reference
            if inputs not in seen:
                seen[inputs] = score_picture(model, number, group, reference, its, protocols)[0]
            scores.append(replace(seen[inputs], reference=reference, substituted=its.substituted))
        progress((number + 1) / len(groups))
    return Report(protocols, tuple(make_rows(name, scores, CHOICES)))


def row_of(report: Report, reference: ReferenceChoice) -> Row:
    """The row with that choice of references; there must be one."""
    return next(row for row in report.rows if row.reference == reference)


def with_every_level(report: Report) -> Report | None:
    """The same over the pictures alone that have all five references; None where no picture has."""
    names = {picture.name for picture in row_of(report, NUMBERED[-1]).pictures if not picture.substituted}
    rows = (replace(row, pictures=tuple(one for one in row.pictures if one.name in names)) for row in report.rows)
    return Report(report.protocols, tuple(rows)) if names else None
