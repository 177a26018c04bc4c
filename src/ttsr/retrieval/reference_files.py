"""What is named as references: files, which are always used, and folders and patterns, among whose photos is chosen."""

import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ttsr.errors import ImageError
from ttsr.images.folders import pictures_in
from ttsr.images.formats import READ
from ttsr.inference.job_files import output_pattern
from ttsr.inference.map_folders import FACTS, MAP_FILES
from ttsr.system.files import identities


@dataclass(frozen=True)
class ReferenceFiles:
    """The files that references come from.

    Attributes:
        named: those that were named one by one.
        candidates: the photos of the folders and patterns, each once, by name; without those that were named.
        searched: the folders and patterns.
    """

    named: tuple[Path, ...] = ()
    candidates: tuple[Path, ...] = ()
    searched: tuple[Path, ...] = ()

    def without(self, files: Iterable[Path]) -> "ReferenceFiles":
        """The same without some of the candidates, by whatever path or link they are called."""
        taken = {key for path in files for key in identities(path)}
        if not taken:
            return self
        return replace(self, candidates=tuple(p for p in self.candidates if taken.isdisjoint(identities(p))))


def list_references(names: Sequence[str | Path], *, recursive: bool = False) -> ReferenceFiles:
    """Tell files from folders and patterns, and list the photos of these.

    A folder stands for the pictures in it, by their extension, and a pattern such as `holiday/*.jpg` for the pictures
    and folders that it matches (`**` for any folders). Hidden files are left out, as are results beside what they were
    made from (`NAME_x4.png` beside `NAME.jpg`), and maps. A name of a file that exists is no pattern.

    Args:
        names: of files, folders and patterns. A file need not exist: reading it says so.
        recursive: the pictures in sub-folders too.

    Raises:
        ImageError: a folder cannot be listed, or there are no pictures in it; or nothing matches a pattern.
    """
    named: list[Path] = []
    found: list[Path] = []
    searched: list[Path] = []
    for name in map(Path, names):
        if os.path.isdir(name):
            found += pictures_in(name, recursive=recursive, is_output=output_pattern()).pictures
        elif glob.has_magic(str(name)) and not os.path.lexists(name):
            found += _matching(name, recursive)
        else:
            named.append(name)
            continue
        searched.append(name)
    found = [path for path in found if not (path.name in MAP_FILES and os.path.exists(path.with_name(FACTS)))]
    once = {os.path.realpath(path): path for path in reversed(found)}
    files = ReferenceFiles(tuple(named), tuple(sorted(once.values())), tuple(searched))
    return files.without(named)


def _matching(pattern: Path, recursive: bool) -> list[Path]:
    found: list[Path] = []
    for path in map(Path, sorted(glob.glob(os.path.expanduser(pattern), recursive=True))):
        if os.path.isdir(path):
            try:
                found += pictures_in(path, recursive=recursive, is_output=output_pattern()).pictures
            except ImageError:  # one of several, and there may be pictures in the others
                continue
        elif path.suffix.lower() in READ:
            found.append(path)
    if not found:
        raise ImageError(f"{pattern}: no picture matches this pattern")
    return found
