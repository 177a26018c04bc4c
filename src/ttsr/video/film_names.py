"""Which files are films, by their names, and what results are called."""

from pathlib import Path

from ttsr.errors import UserError

FILM_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"),
    *(".ts", ".mts", ".m2ts", ".wmv", ".flv", ".ogv", ".3gp"),
)
"""Suffixes of files that are read as films."""

CONTAINERS = (".mp4", ".m4v", ".mov", ".mkv")
"""Suffixes of films that can be written."""


def is_film(path: str | Path) -> bool:
    """Whether a file is a film by its name."""
    return Path(path).suffix.lower() in FILM_SUFFIXES


def film_target(source: Path, out: str | None, suffix: str) -> Path:
    """The file to write: `out`, in `out` where that is a folder, or NAME_x4.mp4 beside NAME.mp4.

    A film that is no MP4, QuickTime or Matroska becomes Matroska, which holds every kind of sound.

    Args:
        source: the film.
        out: a file's name, or a folder that exists or ends in a slash.
        suffix: what the result's name ends in.

    Raises:
        UserError: `out` names no film that can be written.
    """
    extension = source.suffix.lower()
    name = f"{source.stem}{suffix}{extension if extension in CONTAINERS else '.mkv'}"
    if out is None:
        return source.with_name(name)
    if out == "":
        raise UserError("out '': names no file", "leave it away for NAME_x4.mp4, or give . for this folder")
    path = Path(out)
    if out.endswith("/") or path.is_dir():
        return path / name
    if path.suffix.lower() not in CONTAINERS:
        raise UserError(f"{out}: is no film that can be written by its name", f"name it {', '.join(CONTAINERS)}")
    return path
