"""References that commands choose from folders of photos, and what they say of it."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ttsr.cli.bars import progress_bar
from ttsr.cli.printing import say
from ttsr.errors import UserError
from ttsr.images.picture import Picture
from ttsr.retrieval.reference_files import ReferenceFiles

if TYPE_CHECKING:
    from ttsr.inference.upscaler import Upscaler
    from ttsr.retrieval.finding import FoundReferences
    from ttsr.retrieval.photo_index import PhotoIndex


class ReferenceChooser:
    """Chooses references from folders of photos for one picture after the other; the photos are looked at once.

    Args:
        files: where to choose from.
        max_refs: how many to choose for a picture, at most.
        without: files that are not to be chosen.
        processes: to look at photos in; by default one for each processor that this process may use.
        shown: whether to draw a bar and to name what cannot be read; of several processes one should.

    Raises:
        UserError: `max_refs` is not positive.
    """

    def __init__(
        self,
        files: ReferenceFiles,
        max_refs: int,
        *,
        without: Iterable[Path] = (),
        processes: int | None = None,
        shown: bool = True,
    ) -> None:
        if max_refs < 1:
            raise UserError(f"--max-refs {max_refs}: is no number of references", "give 1 or more")
        self._files, self._max_refs, self._without = files, max_refs, tuple(without)
        self._processes, self._shown = processes or _usable_processors(), shown
        self._index: PhotoIndex | None = None
        self._named: set[Path] = set()

    def choose(self, upscaler: "Upscaler", source: Path, picture: Picture) -> "FoundReferences":
        """The references of one picture, and say which they are and why.

        Args:
            upscaler: that will take them.
            source: the picture's file.
            picture: what it holds.
        """
        from ttsr.retrieval.finding import find_references

        if self._index is None:
            self._index = self._look()
        with progress_bar(f"{source.name}: references", shown=self._shown) as progress:
            found = find_references(
                upscaler,
                picture,
                self._index,
                max_refs=self._max_refs,
                source=source,
                without=self._without,
                progress=progress,
            )
        self._name(found.unreadable)
        where = ", ".join(map(str, self._files.searched))
        if not found.chosen:
            say(f"{source}: none of the {found.judged} photos in {where} shows the same thing")
        for number, reference in enumerate(found.chosen, 1):
            say(f"{source}: reference {number} of {found.judged} photos: {reference.path} ({reference.why})")
        return found

    def _look(self) -> "PhotoIndex":
        from ttsr.retrieval.photo_index import index_photos

        count = len(self._files.candidates)
        with progress_bar(f"{count} photos", shown=self._shown) as progress:
            index = index_photos(self._files.candidates, workers=self._processes, progress=progress)
        self._name(index.unreadable)
        return index

    def _name(self, unreadable: dict[Path, str]) -> None:
        """Say which files cannot be read, each once."""
        for path, reason in unreadable.items():
            if self._shown and path not in self._named:
                say(f"{reason} (left out)")
            self._named.add(path)


def _usable_processors() -> int:
    """Processors that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
