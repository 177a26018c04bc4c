"""`manifest.csv`, a table of a folder's photos: `file`, and if known `open` (yes or no) and `group` (of one scene).

A manifest of pairs in CUFED's layout, as `ttsr pairs` writes it, has `name` instead (input/NAME), and the crops' boxes.
"""

import csv
import io
from pathlib import PurePosixPath, PureWindowsPath

from ttsr.data.cufed_layout import find_pairs
from ttsr.data.store import Store
from ttsr.errors import DataError

MANIFEST = "manifest.csv"


def read_manifest(store: Store) -> list[dict[str, str]] | None:
    """The rows of photos, by column, or None if there is no manifest.

    Raises:
        DataError: not UTF-8, no column `file`, or a row without a file's name, or with one outside the data set.
    """
    table = _read(store)
    if table is None:
        return None
    columns, rows = table
    where = store.shown(MANIFEST)
    if "file" not in columns:
        if find_pairs(store):
            remedy = "take a recipe with `pairs: cufed`, such as ttsr-lite_CUFED"
            raise DataError(f"{store.where}: holds pairs in CUFED's layout, not photos", remedy)
        raise DataError(f"{where}: no column `file`", "its first line must name the columns")
    for line, row in rows:
        name = row.get("file")
        if not name:
            raise DataError(f"{where}: line {line} names no file", "fill in or remove it")
        paths = PurePosixPath(name), PureWindowsPath(name)
        if any(path.is_absolute() or ".." in path.parts for path in paths):  # outside its folder on some system
            remedy = "names are relative, without `..`; move the file in"
            raise DataError(f"{where}: line {line} names {name!r}", remedy)
    return [row for _, row in rows]


def read_pair_manifest(store: Store) -> list[dict[str, str]] | None:
    """The rows of pairs, by column, or None if there is no manifest, or it has no column `name`.

    Raises:
        DataError: not UTF-8, or not CSV.
    """
    columns, rows = _read(store) or ([], [])
    return [row for _, row in rows] if "name" in columns else None


def _read(store: Store) -> tuple[list[str], list[tuple[int, dict[str, str]]]] | None:
    """The columns, and each row with its line."""
    text = store.text(MANIFEST)
    if text is None:
        return None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        columns = list(reader.fieldnames or [])
        rows: list[tuple[int, dict[str, str]]] = []
        for row in reader:
            cells = {name: value for name, value in row.items() if name is not None and value is not None}
            rows.append((reader.line_num, cells))
    except csv.Error as error:
        raise DataError(f"{store.shown(MANIFEST)}: not CSV after line {reader.line_num} ({error})") from None
    return columns, rows


def open_rows(rows: list[dict[str, str]], store: Store) -> list[dict[str, str]]:
    """The rows whose column `open` says yes.

    Raises:
        DataError: there are none.
    """
    chosen = [row for row in rows if row.get("open") == "yes"]
    if not chosen:
        raise DataError(f"{store.shown(MANIFEST)}: none of {len(rows)} photos has open = yes")
    return chosen


def manifest_text(rows: list[dict[str, str]]) -> str:
    """Rows as CSV, the columns in the order in which they first appear."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = io.StringIO(newline="")
    writer = csv.DictWriter(lines, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return lines.getvalue()
