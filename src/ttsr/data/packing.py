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

from ttsr.data.cufed import is_cufed, list_pairs
from ttsr.data.manifest import MANIFEST, manifest_text, open_rows, read_manifest, read_pair_manifest
from ttsr.data.store import Store
from ttsr.errors import DataError, ImageError
from ttsr.images.formats import READ
from ttsr.images.picture import Picture
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
    """What was packed.

    Attributes:
        num_pictures: pictures written.
        num_bytes: size of the file.
        skipped: pictures left out, 'name: reason'.
    """

    num_pictures: int
    num_bytes: int
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class _Member:
    source: str
    name: str
    data: bytes
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
    if is_cufed(store):
        if options.only_open:
            raise DataError(f"{store.where}: in CUFED's layout no manifest tells which pictures are open")
        units: list[tuple[str, ...]] = [*list_pairs(store)]
        rows, updated = read_pair_manifest(store), _pair_rows
    else:
        rows, updated = read_manifest(store), _photo_rows
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
                text = store.text(MANIFEST) if rows is None else manifest_text(updated(rows, written))
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

    def prepare(unit: tuple[str, ...]) -> list[_Member] | str:
        try:
            return [_member(store, name, options) for name in unit]
        except ImageError as error:
            return str(error)

    skipped: list[str] = []
    taken: dict[str, str] = {}
    with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)) as threads:
        for first in range(0, len(units), _AT_ONCE):
            chunk = units[first : first + _AT_ONCE]
            for members in threads.map(prepare, chunk):
                if isinstance(members, str):
                    skipped.append(members)
                    continue
                for member in members:
                    if member.source in written:  # a reference that two inputs share
                        continue
                    other = taken.setdefault(member.name, member.source)
                    if other != member.source:
                        raise DataError(f"{store.shown(other)} and {member.source} would both become {member.name}")
                    archive.writestr(_entry(member.name), member.data)
                    # The bytes are not needed again, and all of them together might not fit into memory.
                    written[member.source] = _Member(member.source, member.name, b"", member.width, member.height)
            progress.update((first + len(chunk)) / len(units))
    return skipped


def _member(store: Store, name: str, options: PackOptions) -> _Member:
    if not _is_valid_name(name):
        raise ImageError(f"{store.shown(name)!r}: not a name for a packed file", "rename it")
    data = store.read(name)
    picture = decode_picture(data, store.shown(name))
    width, height = picture.size
    longest = max(width, height)
    shrunk = options.max_side is not None and longest > options.max_side
    if options.quality is None and not shrunk:
        return _Member(name, name, data, width, height)
    image = Image.fromarray(picture.rgb)
    if shrunk and options.max_side is not None:
        width, height = (max(1, round(side * options.max_side / longest)) for side in (width, height))
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    suffix, data = _encoded(image, picture, PurePosixPath(name).suffix, options, store.shown(name))
    return _Member(name, PurePosixPath(name).with_suffix(suffix).as_posix(), data, width, height)


def _encoded(image: Image.Image, picture: Picture, suffix: str, options: PackOptions, shown: str) -> tuple[str, bytes]:
    """Suffix and bytes of `image`; the given suffix stays where it is one of the format's."""
    profile = None if picture.gray else picture.metadata.icc_profile
    file = io.BytesIO()
    try:
        if options.quality is not None and options.codec == "webp":
            kind = "WEBP"
            image.save(file, kind, quality=options.quality, method=4, icc_profile=profile)
        elif options.quality is not None or READ.get(suffix.lower()) == "JPEG":
            kind, quality = "JPEG", options.quality or _LIKE_THE_SOURCE
            image.save(file, kind, quality=quality, subsampling=0, optimize=True, icc_profile=profile)
        else:
            kind = "PNG"
            image.save(file, kind, icc_profile=profile)
    except (OSError, ValueError) as error:
        raise ImageError(f"{shown}: cannot be encoded ({error})") from None
    usual = {"WEBP": ".webp", "JPEG": ".jpg", "PNG": ".png"}[kind]
    return suffix if READ.get(suffix.lower()) == kind else usual, file.getvalue()


def _is_valid_name(name: str) -> bool:
    """Names in a ZIP are UTF-8, and end at a zero byte."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in name


def _photo_rows(rows: Sequence[dict[str, str]], written: dict[str, _Member]) -> list[dict[str, str]]:
    """The rows of the photos that were written, with the new names, and the new sizes in pixels where given."""
    kept = []
    for row in rows:
        member = written.get(row["file"])
        if member is not None:
            sizes = {"width": str(member.width), "height": str(member.height)}
            kept.append(row | {"file": member.name} | {name: sizes[name] for name in sizes if name in row})
    return kept


def _pair_rows(rows: Sequence[dict[str, str]], written: dict[str, _Member]) -> list[dict[str, str]]:
    """The rows of the pairs that were written, with the inputs' new names."""
    members = [(row, written.get(f"input/{row.get('name', '')}")) for row in rows]
    return [row | {"name": member.name.removeprefix("input/")} for row, member in members if member is not None]


def _entry(name: str) -> zipfile.ZipInfo:
    """An archive member of fixed date, so that the same pictures give the same file."""
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o644 << 16
    return entry
