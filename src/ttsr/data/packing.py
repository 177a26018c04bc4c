"""Packing a data set into one file, which `ttsr.data.store.open_store` reads."""

import io
import os
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from PIL import Image

from ttsr.data.cufed import list_pairs
from ttsr.data.cufed_layout import find_pairs
from ttsr.data.manifest import MANIFEST, manifest_text, open_rows, read_manifest, read_pair_manifest
from ttsr.data.store import Store
from ttsr.errors import DataError, ImageError
from ttsr.images.formats import READ
from ttsr.images.reading import decode_picture
from ttsr.progress import Progress
from ttsr.system.files import atomic_path

Codec = Literal["jpeg", "webp"]

# Read, and where asked for encoded, at a time, then written: enough for every thread, little to hold in memory.
_AT_ONCE = 32
_MOST_THREADS = 8
_LIKE_THE_SOURCE = 95  # JPEG quality where only the size is to change


@dataclass(frozen=True)
class PackOptions:
    """What is packed, and how pictures are encoded.

    Attributes:
        max_side: pictures whose longer side in pixels exceeds it are scaled down to it, by Pillow's Lanczos.
        quality: 1 to 100, encode every picture anew with `codec`. None copies pictures; those that are scaled down
            become JPEG of quality 95 if they were JPEG, and PNG otherwise.
        codec: JPEG without chroma subsampling, or WebP, which has half the resolution of colours.
        only_open: take only photos that `manifest.csv` marks as open = yes.

    Raises:
        DataError: a value out of range.
    """

    max_side: int | None = None
    quality: int | None = None
    codec: Codec = "jpeg"
    only_open: bool = False

    def __post_init__(self) -> None:
        if self.max_side is not None and self.max_side < 16:
            raise DataError(f"a longest side of {self.max_side} px leaves nothing to see", "take 16 or more")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise DataError(f"a quality of {self.quality}", "take 1 to 100")


@dataclass(frozen=True)
class Packed:
    """What was packed: the pictures written, the size of the file, and 'name: reason' of each picture left out."""

    num_pictures: int
    num_bytes: int
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class _Member:
    name: str
    width: int
    height: int


def pack(store: Store, out: Path, options: PackOptions, progress: Progress | None = None) -> Packed:
    """Write a folder's photos (with a manifest: those of its rows), or its pairs in CUFED's layout, into one file.

    Every picture is decoded once as a check; unreadable ones are left out, of a pair both. Names stay, but the suffix
    follows the format; `manifest.csv` is rewritten to suit. The same input gives the same bytes.

    Raises:
        DataError: no pictures, inputs or references without their partner, a manifest that cannot be understood or
            names files outside the folder, no readable picture, two that would get one name, `only_open` without a
            manifest, or a file that cannot be written. Nothing is left behind then.
    """
    pairs = find_pairs(store)
    if pairs is not None:
        store = pairs
        if options.only_open:
            raise DataError(f"{store.where}: in CUFED's layout no manifest tells which pictures are open")
        units: list[tuple[str, ...]] = [*list_pairs(store)]
        rows, column, folder = read_pair_manifest(store), "name", "input/"
    else:
        rows, column, folder = read_manifest(store), "file", ""
        if options.only_open:
            if rows is None:
                raise DataError(f"{store.where}: only open photos are wanted, but there is no {MANIFEST} to tell")
            rows = open_rows(rows, store)
        names = store.names if rows is None else dict.fromkeys(row["file"] for row in rows)
        units = [(name,) for name in names]
    if not units:
        raise DataError(f"{store.where}: no pictures in it (looked for {' '.join(READ)})")
    written: dict[str, _Member] = {}
    try:
        with atomic_path(out.resolve()) as temporary:
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
                skipped = _write_units(store, units, options, archive, written, progress or Progress())
                if not written:
                    raise DataError(f"{store.where}: none of its pictures can be used; the first: {skipped[0]}")
                text = store.text(MANIFEST) if rows is None else manifest_text(_updated(rows, column, folder, written))
                if text is not None:
                    archive.writestr(_entry(MANIFEST), text.encode())
            size = temporary.stat().st_size
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror or error})") from None
    return Packed(len(written), size, tuple(skipped))


def _write_units(
    store: Store,
    units: Sequence[tuple[str, ...]],
    options: PackOptions,
    archive: zipfile.ZipFile,
    written: dict[str, _Member],
    progress: Progress,
) -> list[str]:
    """Add every unit whose pictures are all readable to the archive, and to `written` by their old names."""

    def prepare(unit: tuple[str, ...]) -> list[tuple[_Member, bytes]] | str:
        try:
            return [_encoded(store, name, options) for name in unit]
        except ImageError as error:
            return str(error)

    skipped: list[str] = []
    taken: dict[str, str] = {}
    with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)) as threads:
        for first in range(0, len(units), _AT_ONCE):
            chunk = units[first : first + _AT_ONCE]
            for unit, members in zip(chunk, threads.map(prepare, chunk), strict=True):
                if isinstance(members, str):
                    skipped.append(members)
                    continue
                for source, (member, data) in zip(unit, members, strict=True):
                    if source in written:  # a reference that two inputs share
                        continue
                    other = taken.setdefault(member.name, source)
                    if other != source:
                        raise DataError(f"{store.shown(other)} and {source} would both become {member.name}")
                    archive.writestr(_entry(member.name), data)
                    written[source] = member
            progress.update((first + len(chunk)) / len(units))
    return skipped


def _encoded(store: Store, name: str, options: PackOptions) -> tuple[_Member, bytes]:
    """What a picture becomes; its suffix stays where it is one of the format's."""
    shown = store.shown(name)
    # Names in a ZIP are UTF-8, and end at a zero byte.
    if "\0" in name or any("\ud800" <= character <= "\udfff" for character in name):
        raise ImageError(f"{shown!r}: not a name for a packed file", "rename it")
    data = store.read(name)
    picture = decode_picture(data, shown).in_eight_bits()
    width, height = picture.size
    longest = max(width, height)
    limit = options.max_side or longest
    if options.quality is None and longest <= limit:
        return _Member(name, width, height), data
    image = Image.fromarray(picture.rgb)
    if longest > limit:
        width, height = (max(1, round(side * limit / longest)) for side in (width, height))
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    source_format = READ.get(PurePosixPath(name).suffix.lower())
    if options.quality is not None and options.codec == "webp":
        kind, suffix, settings = "WEBP", ".webp", {"quality": options.quality, "method": 4}
    elif options.quality is not None or source_format == "JPEG":
        quality = options.quality or _LIKE_THE_SOURCE
        kind, suffix, settings = "JPEG", ".jpg", {"quality": quality, "subsampling": 0, "optimize": True}
    else:
        kind, suffix, settings = "PNG", ".png", {}
    file = io.BytesIO()
    try:
        image.save(file, kind, icc_profile=None if picture.gray else picture.metadata.icc_profile, **settings)
    except (OSError, ValueError) as error:
        raise ImageError(f"{shown}: cannot be encoded ({error})") from None
    path = PurePosixPath(name)
    path = path.with_suffix(path.suffix if kind == source_format else suffix)
    return _Member(path.as_posix(), width, height), file.getvalue()


def _updated(
    rows: Sequence[dict[str, str]], column: str, folder: str, written: dict[str, _Member]
) -> list[dict[str, str]]:
    """The rows of what was written, with the new names, and for photos the new sizes in pixels where given."""
    kept = []
    for row in rows:
        member = written.get(folder + row.get(column, ""))
        if member is not None:
            sizes = {} if folder else {"width": str(member.width), "height": str(member.height)}
            changes = {name: size for name, size in sizes.items() if name in row}
            kept.append(row | {column: member.name.removeprefix(folder)} | changes)
    return kept


def _entry(name: str) -> zipfile.ZipInfo:
    """An archive member of fixed date, so that the same pictures give the same file."""
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o644 << 16
    return entry
