"""`manifest.csv`, a table of a folder's photos: `file`, and if known `open` (yes or no) and `group` (of one scene)."""

import csv
import io

from ttsr.errors import DataError

from .store import Store

MANIFEST = "manifest.csv"


def read_manifest(store: Store) -> list[dict[str, str]] | None:
    """The rows, by column, or None if there is no manifest.

    Raises:
        DataError: not UTF-8, no column `file`, or a row without a file's name.
    """
    text = store.text(MANIFEST)
    if text is None:
        return None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        if "file" not in (reader.fieldnames or []):
            raise DataError(f"{store.shown(MANIFEST)}: no column `file`; its first line must name the columns")
        rows: list[dict[str, str]] = []
        for row in reader:
            if not row["file"]:
                raise DataError(f"{store.shown(MANIFEST)}: line {reader.line_num} names no file; fill in or remove it")
            rows.append({name: value for name, value in row.items() if name is not None and value is not None})
    except csv.Error as error:
        raise DataError(f"{store.shown(MANIFEST)}: no CSV after line {reader.line_num} ({error})") from None
    return rows


def open_rows(rows: list[dict[str, str]], store: Store) -> list[dict[str, str]]:
    """Those whose column `open` says yes.

    Raises:
        DataError: there are none.
    """
    found = [row for row in rows if row.get("open") == "yes"]
    if not found:
        raise DataError(f"{store.shown(MANIFEST)}: none of {len(rows)} photos has open = yes")
    return found


def manifest_text(rows: list[dict[str, str]]) -> str:
    """Rows as CSV, the columns in the order in which they first appear."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = io.StringIO(newline="")
    writer = csv.DictWriter(lines, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return lines.getvalue()
