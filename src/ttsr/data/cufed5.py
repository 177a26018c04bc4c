"""The layout of the CUFED5 test set: `NNN_0.png` is a ground truth, `NNN_1.png` to `NNN_5.png` its references."""

import os
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ttsr.errors import DataError

ReferenceChoice = Literal["1", "2", "3", "4", "5", "all", "stacked", "lr", "none", "unrelated"]
"""The reference of that number; all of them, as they are or stacked to one picture as in the paper; the LR itself;
none; or a photo of another scene."""

_FILE = re.compile(r"(?P<group>.+)_(?P<number>\d+)\.(?:png|jpe?g)", re.IGNORECASE)


@dataclass(frozen=True)
class Group:
    """A ground truth, its references by rising number, 1 the most similar, and the common part of the files' names."""

    name: str
    hr: Path
    references: dict[int, Path]


def list_groups(folder: str | Path) -> list[Group]:
    """The groups of a folder in the CUFED5 layout (.png, .jpg or .jpeg), by name. Other files are ignored.

    Raises:
        DataError: no such folder, no ground truth in it, or two files for one place.
    """
    folder = Path(folder)
    if not os.path.isdir(folder):  # unlike Path's, not raising on a name that is too long
        raise DataError(f"{folder}: no such folder")
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror})") from None
    files_of = defaultdict[str, dict[int, Path]](dict)
    for path in paths:
        match = _FILE.fullmatch(path.name)
        if match and not path.name.startswith("."):
            other = files_of[match["group"]].setdefault(int(match["number"]), path)
            if other != path:
                raise DataError(f"{folder}: {other.name} and {path.name} have one number", "remove one")
    groups: list[Group] = []
    for name, files in sorted(files_of.items()):
        hr = files.pop(0, None)
        if hr is not None:
            groups.append(Group(name, hr, dict(sorted(files.items()))))
    if not groups:
        layout = "NNN_0.png the ground truth, NNN_1.png to NNN_5.png its references"
        raise DataError(f"{folder}: not in the layout of CUFED5 ({layout}): there is no NNN_0.png")
    return groups
