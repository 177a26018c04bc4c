"""Where CUFED and CUFED5 lie: in MMagic's layout, the authors', SRNTT's, or in ZIPs as they are downloaded.

| | pairs for training | CUFED5 |
|---|---|---|
| MMagic | `input/`, `ref/` | `CUFED5/` |
| the authors | `train/input/`, `train/ref/` | `test/CUFED5/` |
| SRNTT | `train/CUFED/input/`, `train/CUFED/ref/` | `test/CUFED5/` |

Each may have folders on top that hold nothing else, and be a folder or one ZIP; the folder may hold ZIPs instead, such
as `input.zip`, `ref.zip` and `CUFED5.zip`.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ttsr.data.store import PackedStore, Store, open_store
from ttsr.errors import DataError

CUFED_LINK = "https://drive.google.com/drive/folders/1hGHy36XcmSZ1LtARWmGL5OK1IUdWJi3I"
CUFED5_LINK = "https://drive.google.com/file/d/1Fa1mopExA9YGG1RxrCZZn7QFTYXLx6ph/view"

TEST_PARTS = ("", "CUFED5/", "test/CUFED5/", "test/")
_TRAINING_PARTS = ("", "train/", "CUFED/", "train/CUFED/")
# Folders that hold ZIPs to be read in place, and what their names tell of their content.
_ZIP_FOLDERS = ("", "train", "test", "train/CUFED")
_ZIP_NAME = re.compile(r"(?<![a-z])(input|ref|CUFED5)(?![a-z0-9])", re.IGNORECASE)


class _Mount(NamedTuple):
    """The files of `store` below `inner`, seen below `outer`."""

    outer: str
    store: Store
    inner: str


class MountedStore(Store):
    """Files of other stores under other names; the first store that has a name is read."""

    def __init__(self, where: str, mounts: Sequence[_Mount]) -> None:
        self.where, self._mounts = where, tuple(mounts)
        names = {
            mount.outer + name.removeprefix(mount.inner)
            for mount in mounts
            for name in mount.store.names
            if name.startswith(mount.inner)
        }
        self.names = tuple(sorted(names, key=lambda name: name.split("/")))

    def read(self, name: str, length: int | None = None) -> bytes:
        """See `Store.read`."""
        store, inner = self._located(name)
        return store.read(inner, length)

    def files(self) -> list[Path]:
        """See `Store.files`."""
        return list(dict.fromkeys(path for mount in self._mounts for path in mount.store.files()))

    def holds(self, name: str) -> bool:
        """See `Store.holds`."""
        store, inner = self._located(name)
        return store.holds(inner)

    def shown(self, name: str) -> str:
        """See `Store.shown`."""
        store, inner = self._located(name)
        return store.shown(inner)

    def _located(self, name: str) -> tuple[Store, str]:
        """The store that has a file, and its name there."""
        places = [(m.store, m.inner + name.removeprefix(m.outer)) for m in self._mounts if name.startswith(m.outer)]
        return next(((store, inner) for store, inner in places if store.holds(inner)), places[0])


def open_training_set(data: Path) -> Store:
    """The pairs at `data`, as a store with `input/` and `ref/`.

    Raises:
        DataError: `data` is neither a folder nor a ZIP, or there are no such pairs in it.
    """
    if not os.path.exists(data):  # unlike Path's, not raising on a name that is too long
        raise DataError(f"{data}: no such folder or packed file", f"CUFED is at {CUFED_LINK}")
    store = open_store(data)
    pairs = find_pairs(store) or find_pairs(_with_zips(store, data))
    if pairs is None:
        remedy = (
            f"pictures must be in its folders input/ and ref/, or train/input/ and train/ref/; CUFED is at {CUFED_LINK}"
        )
        raise DataError(f"{data}: not a CUFED data set", remedy)
    return pairs


def find_pairs(store: Store) -> Store | None:
    """The part of a store with `input/` and `ref/`, or None. At the very top, one of them is taken for the layout."""
    for top in tops(store.names):
        for part in _TRAINING_PARTS:
            inner = top + part
            found = [any(name.startswith(f"{inner}{side}/") for name in store.names) for side in ("input", "ref")]
            if not inner and any(found):
                return store
            if all(found):
                return MountedStore(f"{store.where}/{inner}".rstrip("/"), [_Mount("", store, inner)])
    return None


def zips_of_test_set(folder: Path) -> list[Path]:
    """ZIPs in a folder whose name says that they hold CUFED5."""
    return [path for path, kind in _zips(folder) if kind == "CUFED5"]


def _with_zips(store: Store, folder: Path) -> Store:
    """A folder as if its ZIPs of CUFED's parts were unpacked where they lie."""
    mounts = [_Mount("", store, "")]
    for path, kind in _zips(folder):
        packed = PackedStore(path)
        below = path.parent.relative_to(folder).as_posix()
        outer = "" if below == "." else f"{below}/"
        # Pictures at the top, without a folder of their own, belong into that of the ZIP's name.
        is_flat = any("/" not in name for name in packed.names)
        mounts.append(_Mount(f"{outer}{kind}/" if is_flat else outer, packed, ""))
    return MountedStore(store.where, mounts)


def _zips(folder: Path) -> Iterator[tuple[Path, str]]:
    """ZIPs of CUFED's parts in a folder, by name, and which part each is: input, ref or CUFED5."""
    if os.path.isdir(folder):
        for below in _ZIP_FOLDERS:
            for path in sorted((folder / below).glob("*.[zZ][iI][pP]")):
                if found := _ZIP_NAME.search(path.stem):
                    kind = found[1].lower()
                    yield path, "CUFED5" if kind == "cufed5" else kind


def tops(names: Sequence[str]) -> Iterator[str]:
    """Prefixes below which all names lie: the empty one, and one after the other the folders on top of everything.

    `names` are in order, folder by folder, as `Store.names` are.
    """
    top, ends = "", [PurePosixPath(name).parts for name in (*names[:1], *names[-1:])]
    yield top
    while ends and min(map(len, ends)) > 1 and ends[0][0] == ends[1][0]:
        top, ends = f"{top}{ends[0][0]}/", [parts[1:] for parts in ends]
        yield top
