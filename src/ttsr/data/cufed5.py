"""The layout of the CUFED5 test set: `NNN_0.png` is a ground truth, `NNN_1.png` to `NNN_5.png` its references."""

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from ttsr.data.cufed_layout import CUFED5_LINK, TEST_PARTS, tops, zips_of_test_set
from ttsr.data.store import PackedStore
from ttsr.errors import DataError
from ttsr.images.picture import Picture

ReferenceChoice = Literal["1", "2", "3", "4", "5", "all", "stacked", "lr", "none", "unrelated"]
"""The reference of that number; all of them, as they are or stacked to one picture as in the paper; the LR itself;
none; or a photo of another scene."""

_FILE = re.compile(r"(?P<group>.+)_(?P<number>\d+)\.(?:png|jpe?g)", re.IGNORECASE)


@dataclass(frozen=True)
class PackedPicture:
    """A picture in a packed test set; its text is how messages call it."""

    store: PackedStore
    member: str

    @property
    def name(self) -> str:
        """The file's name, without its folders."""
        return PurePosixPath(self.member).name

    @property
    def file(self) -> Path:
        """The packed file on the disk."""
        return self.store.files()[0]

    def read(self) -> Picture:
        """The picture; raises as `ttsr.images.read_picture`."""
        return self.store.picture(self.member)

    def __str__(self) -> str:
        return self.store.shown(self.member)


PictureFile = Path | PackedPicture
"""A picture of a test set: a file of its own, or one in a packed file."""


@dataclass(frozen=True)
class Group:
    """A ground truth, its references by rising number, 1 the most similar, and the common part of the files' names."""

    name: str
    hr: PictureFile
    references: dict[int, PictureFile]

    @property
    def files(self) -> list[Path]:
        """Its files on the disk."""
        pictures = (self.hr, *self.references.values())
        return [picture if isinstance(picture, Path) else picture.file for picture in pictures]


def list_groups(data: str | Path) -> list[Group]:
    """The groups of a test set in the CUFED5 layout (.png, .jpg or .jpeg), by name. Other files are ignored.

    `data` is a folder or a ZIP of them, or has them in `CUFED5/`, `test/CUFED5/`, `test/`, or `CUFED5.zip`, with or
    without folders on top that hold nothing else.

    Raises:
        DataError: no such folder or ZIP, no ground truth in it, or two files for one place.
    """
    data = Path(data)
    if not os.path.exists(data):  # unlike Path's, not raising on a name that is too long
        raise DataError(f"{data}: no such folder or packed file", f"CUFED5 is at {CUFED5_LINK}")
    for where, pictures in _places(data):
        if groups := _groups(where, pictures):
            return groups
    layout = "NNN_0.png the ground truth, NNN_1.png to NNN_5.png its references"
    what = f"{data}: not in the layout of CUFED5 ({layout}): there is no NNN_0.png"
    raise DataError(what, f"CUFED5 is at {CUFED5_LINK}")


def _places(data: Path) -> Iterator[tuple[str, dict[str, PictureFile]]]:
    """Where a test set may lie, in order: the place for messages, and its pictures by name."""
    if not os.path.isdir(data):
        yield from _places_in_zip(data)
        return
    for top in _folders_on_top(data):
        for part in TEST_PARTS:
            folder = top / part
            if os.path.isdir(folder):
                yield str(folder), {path.name: path for path in _listed(folder)}
        for file in zips_of_test_set(top):
            yield from _places_in_zip(file)


def _places_in_zip(file: Path) -> Iterator[tuple[str, dict[str, PictureFile]]]:
    store = PackedStore(file)
    for top in tops(store.names):
        for part in TEST_PARTS:
            folder = top + part
            names = (name for name in store.names if name.rpartition("/")[0] == folder.rstrip("/"))
            yield (
                store.shown(folder).rstrip("/"),
                {path.name: path for path in (PackedPicture(store, n) for n in names)},
            )


def _folders_on_top(folder: Path) -> Iterator[Path]:
    """The folder, and one after the other those that hold everything in it."""
    yield folder
    entries = [path for path in _listed(folder) if not path.name.startswith(".") and path.name != "__MACOSX"]
    if len(entries) == 1 and os.path.isdir(entries[0]) and not os.path.islink(entries[0]):
        yield from _folders_on_top(entries[0])


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror})") from None


def _groups(where: str, pictures: Mapping[str, PictureFile]) -> list[Group]:
    """The groups among the pictures of one folder, which may be none."""
    files_of = defaultdict[str, dict[int, PictureFile]](dict)
    for name, picture in pictures.items():
        match = _FILE.fullmatch(name)
        if match and not name.startswith("."):
            other = files_of[match["group"]].setdefault(int(match["number"]), picture)
            if other != picture:
                raise DataError(f"{where}: {other.name} and {name} have one number", "remove one")
    groups: list[Group] = []
    for name, files in sorted(files_of.items()):
        hr = files.pop(0, None)
        if hr is not None:
            groups.append(Group(name, hr, dict(sorted(files.items()))))
    return groups
