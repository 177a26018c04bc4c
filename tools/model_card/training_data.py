"""What a model was trained on, by source and licence."""

from collections import Counter
from pathlib import Path

from ttsr.data.manifest import MANIFEST, open_rows, read_manifest
from ttsr.data.store import open_store
from ttsr.errors import DataError


def data_table(folder: Path) -> str:
    """A Markdown list of a training folder's open photos: the largest source first, and within it the largest licence.

    Raises:
        DataError: no manifest, no open photos in it, or one without a source or licence.
    """
    store = open_store(folder)
    rows = read_manifest(store)
    if rows is None:
        raise DataError(f"{folder}: has no {MANIFEST} to tell the photos' sources and licences")
    rows = open_rows(rows, store)
    for row in rows:
        missing = [name for name in ("source", "licence") if not row.get(name)]
        if missing:
            raise DataError(f"{store.shown(MANIFEST)}: no {missing[0]} for {row['file']}; fill it in")
    counts = Counter((row["source"], row["licence"]) for row in rows)
    sources = Counter(row["source"] for row in rows)
    lines = [
        f"{len(rows)} photographs whose licences allow use and redistribution:",
        "",
        "| source | photos | licence, and where it is stated |",
        "|---|---|---|",
    ]
    for source, licence in sorted(counts, key=lambda key: (-sources[key[0]], key[0], -counts[key], key[1])):
        lines.append(f"| {_cell(source)} | {counts[source, licence]} | {_cell(licence)} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
