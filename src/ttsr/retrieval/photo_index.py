"""The keypoints of all photos that references are chosen from, each found once and kept in the cache."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ttsr.errors import ImageError, UserError
from ttsr.images.reading import read_reduced
from ttsr.progress import Progress
from ttsr.registration.keypoints import Keypoints, find_keypoints
from ttsr.retrieval.keypoint_cache import CacheEntry, shrink_cache
from ttsr.retrieval.reference_files import list_references
from ttsr.system.workers import Workers

COPY_SIDE = 640
"""Longest side in pixels of the copy of a photo that its keypoints are looked for in."""

MAX_KEYPOINTS = 800
"""Of a photo."""

_ENLARGE = 2  # at most, for the copy: of small photos SIFT finds little at their own size
_KIND = f"SIFT {COPY_SIDE} {MAX_KEYPOINTS} {_ENLARGE}"
# Fewer than this are sooner done than other processes have started.
_WORTH_PROCESSES = 16


@dataclass(frozen=True)
class IndexedPhoto:
    """A photo that may become a reference, and its keypoints in pixels of the upright photo."""

    path: Path
    keypoints: Keypoints


@dataclass(frozen=True)
class PhotoIndex:
    """The photos that references are chosen from.

    Attributes:
        photos: those that can be read, as `IndexedPhoto`.
        unreadable: one line for each file that cannot, which names it.
        found: of how many photos the keypoints were not in the cache.
    """

    photos: tuple[IndexedPhoto, ...] = ()
    unreadable: dict[Path, str] = field(default_factory=dict)
    found: int = 0


def index_photos(
    photos: str | Path | Sequence[str | Path],
    *,
    recursive: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> PhotoIndex:
    """Find the keypoints of photos, or take them from the cache. A file that cannot be read stops nothing.

    Args:
        photos: a folder, a pattern such as `holiday/*.jpg`, or several of these and of files.
        recursive: the photos in sub-folders too.
        workers: processes to work in. More than one need a main module that can be imported, as with
            `multiprocessing`.
        progress: updated with each photo.

    Raises:
        ImageError: a folder cannot be listed, or there are no pictures in it; or nothing matches a pattern.
        Cancelled: through `progress`; what was found until then is kept.
    """
    files = list_references([photos] if isinstance(photos, str | Path) else photos, recursive=recursive)
    paths = tuple(dict.fromkeys([*files.named, *files.candidates]))
    progress = progress or Progress()
    known: dict[Path, Keypoints | ImageError] = {}
    for path in paths:
        with suppress(OSError, UserError):
            if (keypoints := CacheEntry(path, _KIND).read()) is not None:
                known[path] = keypoints
    missing = [path for path in paths if path not in known]
    with Workers(workers if len(missing) >= _WORTH_PROCESSES else 1) as pool:
        for number, (path, result) in enumerate(zip(missing, pool.in_order(_find, missing), strict=True), 1):
            known[path] = result
            progress.update((len(paths) - len(missing) + number) / len(paths))
    if missing:
        with suppress(OSError, UserError):
            shrink_cache()
    readable = tuple(IndexedPhoto(path, found) for path in paths if isinstance(found := known[path], Keypoints))
    unreadable = {path: str(found) for path in paths if isinstance(found := known[path], ImageError)}
    return PhotoIndex(readable, unreadable, len(missing) - len(unreadable))


def _find(path: Path) -> Keypoints | ImageError:
    """The keypoints of a photo, which are kept, or why it cannot be read."""
    try:
        entry = CacheEntry(path, _KIND)
    except (OSError, UserError):
        entry = None
    try:
        picture, size = read_reduced(path, COPY_SIDE)
    except ImageError as error:
        return error
    found = find_keypoints(
        picture.in_eight_bits().rgb, copy_side=COPY_SIDE, max_keypoints=MAX_KEYPOINTS, enlarge=_ENLARGE
    )
    enlarged = size[0] / found.size[0]  # from the copy that was decoded to the photo
    found.records["point"] *= enlarged
    found.records["scale"] *= enlarged
    keypoints = Keypoints(size, found.records)
    if entry is not None:
        with suppress(OSError):  # a cache that cannot be written to costs time, and nothing else
            entry.write(keypoints)
    return keypoints
