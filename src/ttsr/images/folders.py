"""The pictures of a folder."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ttsr.errors import ImageError
from ttsr.images.formats import READ


@dataclass(frozen=True)
class FoundPictures:
    """The picture files of a folder, in the order of their names, and how many were left out as outputs of others."""

    pictures: list[Path]
    left_out: int = 0


def pictures_in(
    folder: str | Path,
    *,
    is_output: "re.Pattern[str] | None" = None,
    recursive: bool = False,
    without: Path | None = None,
) -> FoundPictures:
    """The picture files of a folder, by their extension; hidden files and folders are left out.

    Args:
        folder: where to look.
        is_output: what names without extension of pictures match that are made from others, and of folders of such
            pictures; the first group is the name of what they are made from. They are left out where that is there.
        recursive: look in sub-folders too; links to folders are not followed.
        without: a folder that is left out.

    Raises:
        ImageError: a folder cannot be listed, or there are no pictures.
    """
    pictures: list[Path] = []
    left_out = 0
    for names, place in _folders(Path(folder), is_output, recursive, without):
        sources = {name for name in names} | {Path(name).stem for name in names}
        for name in names:
            if _made_from(Path(name).stem, is_output) in sources:
                left_out += 1
            else:
                pictures.append(place / name)
    if not pictures:
        raise ImageError(f"{folder}: there are no pictures in this folder (PNG, JPEG, WebP, TIFF ...)")
    return FoundPictures(pictures, left_out)


def _folders(
    folder: Path, is_output: "re.Pattern[str] | None", recursive: bool, without: Path | None
) -> Iterator[tuple[list[str], Path]]:
    """The names of the pictures of each folder, sorted, and the folder."""

    def fail(error: OSError) -> None:
        raise ImageError(f"{error.filename}: the folder cannot be read ({error.strerror})") from None

    skipped = None if without is None else os.path.realpath(without)
    for place, subfolders, files in os.walk(folder, onerror=fail):
        yield (
            sorted(name for name in files if not name.startswith(".") and Path(name).suffix.lower() in READ),
            Path(place),
        )
        subfolders[:] = sorted(
            name
            for name in (subfolders if recursive else ())
            if not name.startswith(".")
            and os.path.realpath(os.path.join(place, name)) != skipped
            and _made_from(name, is_output) not in subfolders
        )


def _made_from(name: str, is_output: "re.Pattern[str] | None") -> str | None:
    match = is_output.fullmatch(name) if is_output else None
    return match and match[1]
