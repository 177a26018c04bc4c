"""The files that serve as a picture's references, for each choice of references."""

from collections.abc import Sequence
from dataclasses import dataclass

from ttsr.data.cufed5 import Group, PictureFile, ReferenceChoice
from ttsr.errors import DataError

LEVELS: tuple[ReferenceChoice, ...] = ("1", "2", "3", "4", "lr")
"""The rows of the paper's table of similarity levels: L1 to L4, and the LR itself."""

REFERENCE_LABELS: dict[ReferenceChoice, str] = {
    **{number: f"reference {number}" for number in ("1", "2", "3", "4", "5")},
    "all": "all references",
    "stacked": "references stacked",
    "lr": "the LR itself",
    "none": "no reference",
    "unrelated": "unrelated reference",
}


@dataclass(frozen=True)
class ChosenReferences:
    """A picture's reference files.

    Attributes:
        files: none for "lr" and "none".
        substituted: the requested reference is missing, and the picture's last reference replaces it.
    """

    files: tuple[PictureFile, ...]
    substituted: bool = False


def choose_references(groups: Sequence[Group], reference: ReferenceChoice) -> list[ChosenReferences]:
    """The reference files of each group, in the order of the groups.

    Raises:
        DataError: a group has no reference at all, or "unrelated" is requested with fewer than two groups.
    """
    if reference in ("lr", "none"):
        return [ChosenReferences(()) for _ in groups]
    for group in groups:
        if not group.references:
            raise DataError(f"{group.hr}: has no reference beside it", "the choices lr and none need no references")
    if reference in ("all", "stacked"):
        return [ChosenReferences(tuple(group.references.values())) for group in groups]
    if reference == "unrelated":
        if len(groups) < 2:
            raise DataError(f"{groups[0].hr}: an unrelated reference needs another group beside this one")
        half = len(groups) // 2
        others = [*groups[half:], *groups[:half]]
        return [ChosenReferences((next(iter(other.references.values())),)) for other in others]
    number = int(reference)
    numbers = [number if number in group.references else max(group.references) for group in groups]
    return [ChosenReferences((g.references[n],), substituted=n != number) for g, n in zip(groups, numbers, strict=True)]
