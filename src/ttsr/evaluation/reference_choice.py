"""Which files serve as a picture's references."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ttsr.data.cufed5 import Group, ReferenceChoice
from ttsr.errors import DataError

LEVELS: tuple[ReferenceChoice, ...] = ("1", "2", "3", "4", "lr")
"""The rows of the paper's table of similarity levels: L1 to L4, and the LR itself."""

DESCRIBED: dict[ReferenceChoice, str] = {
    **{number: f"reference {number}" for number in ("1", "2", "3", "4", "5")},
    "all": "all references",
    "stacked": "references stacked",
    "lr": "the LR itself",
    "none": "no reference",
    "unrelated": "unrelated reference",
}


@dataclass(frozen=True)
class Chosen:
    """A picture's reference files.

    `substituted`: the reference asked for is missing, and its last one stands in.
    """

    files: tuple[Path, ...]
    substituted: bool = False


def choose(groups: Sequence[Group], reference: ReferenceChoice) -> list[Chosen]:
    """The files for each group; none for "lr" and "none".

    Raises:
        DataError: a group has no reference at all, or "unrelated" is asked of fewer than two groups.
    """
    if reference in ("lr", "none"):
        return [Chosen(()) for _ in groups]
    for group in groups:
        if not group.references:
            raise DataError(f"{group.hr}: it has no reference beside it (--reference lr and none need none)")
    if reference in ("all", "stacked"):
        return [Chosen(tuple(group.references.values())) for group in groups]
    if reference == "unrelated":
        if len(groups) < 2:
            raise DataError(f"{groups[0].hr}: an unrelated reference needs another group beside this one")
        half = len(groups) // 2
        return [Chosen((next(iter(other.references.values())),)) for other in [*groups[half:], *groups[:half]]]
    return [_numbered(group, int(reference)) for group in groups]


def _numbered(group: Group, number: int) -> Chosen:
    if number in group.references:
        return Chosen((group.references[number],))
    return Chosen((list(group.references.values())[-1],), substituted=True)
