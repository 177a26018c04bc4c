"""`ttsr pack`."""

import os
from pathlib import Path

from ttsr.cli.printing import say, tell
from ttsr.errors import DataError

# Messages about single pictures; further ones are only counted.
_MOST_NAMED = 20


def pack(
    source: Path,
    out: Path,
    *,
    max_side: int | None = None,
    quality: int | None = None,
    webp: bool = False,
    only_open: bool = False,
    overwrite: bool = False,
) -> None:
    """Pack a training set into one file, for slow disks and for machines where many small files hurt.

    Args:
        source: A folder of photos (of those that its manifest.csv lists, if it has one), a folder with pairs in CUFED's
            layout (input/ and ref/, or train/input/ and train/ref/), or a packed file.
        out: The file to write, a .zip.
        max_side: Scale pictures down to at most so many pixels on the longer side.
        quality: Encode all pictures again, as JPEG without chroma subsampling, at this quality from 1 to 100. By
            default they are copied, and those that are scaled down become JPEG of quality 95, or PNG if they were not
            JPEG.
        webp: Encode as WebP instead: smaller, but with half the resolution of colours.
        only_open: Take only photos that manifest.csv marks as open = yes.
        overwrite: Replace an existing file.
    """
    from ttsr.cli.bars import progress_bar
    from ttsr.data.packing import PackOptions, pack as write_packed
    from ttsr.data.store import open_store
    from ttsr.system.files import refuse_overwriting

    if webp and quality is None:
        raise DataError("--webp without --quality", "add --quality, such as 90")
    options = PackOptions(max_side, quality, "webp" if webp else "jpeg", only_open)
    if out.suffix.lower() != ".zip":
        raise DataError(f"{out}: not a .zip", "name the packed file .zip, so that other tools know it")
    if os.path.isdir(out):
        raise DataError(f"{out}: is a folder", "name another file")
    store = open_store(source)
    if os.path.lexists(out):
        refuse_overwriting([out], [source, *store.files()])
        if not overwrite:
            raise DataError(f"{out}: exists", "name another file, or replace it with --overwrite")
    if not os.path.isdir(out.parent):
        raise DataError(f"{out.parent}: no such folder to write to", "create it first")
    with progress_bar("packing") as progress:
        packed = write_packed(store, out, options, progress)
    for reason in packed.skipped[:_MOST_NAMED]:
        say(f"left out: {reason}")
    if len(packed.skipped) > _MOST_NAMED:
        say(f"left out: {len(packed.skipped) - _MOST_NAMED} more")
    left_out = f", {len(packed.skipped)} left out" if packed.skipped else ""
    tell(f"{out}: {packed.num_pictures} pictures, {packed.num_bytes / 1e6:.1f} MB{left_out}")
