"""The folders of provenance maps: one for each picture of a batch, which never holds another picture's."""

import json
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from ttsr.errors import UserError
from ttsr.inference.job_files import Job

FACTS = "provenance.json"
MAP_FILES = ("relevance.png", "confidence.png", "provenance.png", "matches.npz", FACTS)
"""What `write_maps` writes into the folder of a picture."""


def map_folders(jobs: Sequence[Job], folder: Path) -> dict[Job, Path]:
    """The folder of each picture's maps below `folder`: NAME for NAME.jpg, in the sub-folders that the pictures are in.

    These begin where all pictures have a folder in common. Of pictures that differ in their extension alone each keeps
    it. The same pictures always get the same folders, and no two the same. Nothing is written or made.
    """
    sources = {job: Path(os.path.abspath(job.source)) for job in jobs}
    common = os.path.commonpath([source.parent for source in sources.values()]) if sources else ""
    count = Counter(source.with_suffix("") for source in set(sources.values()))
    return {
        job: folder / (source if count[source.with_suffix("")] > 1 else source.with_suffix("")).relative_to(common)
        for job, source in sources.items()
    }


def check_maps_folder(folder: Path) -> None:
    """See before the work that maps can be written to a folder, or to one that can be made. Nothing stays behind.

    Raises:
        UserError: it is a file, or cannot be made or written to.
    """
    there = Path(os.path.abspath(folder))
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    if not os.path.isdir(there):
        what = "is a file, and maps need a folder" if os.path.lexists(folder) else f"cannot be made, {there} is a file"
        raise UserError(f"{folder}: {what}")
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise UserError(f"{folder}: maps cannot be written there ({error.strerror})") from None


def prepare_maps(folder: Path, source: Path) -> None:
    """Make the folder of a picture's maps, and see that it holds no other picture's.

    Raises:
        UserError: it cannot be made, or holds the maps of another picture, by its SHA-256.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: the folder for maps cannot be made ({error.strerror})") from None
    check_maps_folder(folder)
    known = _mapped(folder / FACTS)
    if known is not None and known != _sha256(source):
        raise UserError(f"{folder}: holds the maps of another picture", "name another folder, or delete this one")


def _sha256(source: Path) -> str:
    try:
        return sha256(source.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"{source}: cannot be read any more ({error.strerror})") from None


def _mapped(facts: Path) -> str | None:
    """The SHA-256 of the picture that the maps beside a file are of, or None where there are none."""
    try:
        return str(json.loads(facts.read_bytes())["input"]["sha256"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError):  # not ours: to replace it would take it from somebody
        return ""
