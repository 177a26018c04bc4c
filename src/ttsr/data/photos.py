"""Training pairs made on the fly from a plain folder of photos."""

import csv
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from ttsr.errors import DataError, ImageError
from ttsr.images.formats import READ
from ttsr.images.reading import read_picture

from .aligning import find
from .sample import Pair, Pixels
from .views import Warp, draw_window, recolour, two_views


@dataclass(frozen=True)
class PhotosOptions:
    """How pairs are made.

    hr_size, ref_size: sides of the crops in pixels, multiples of 4.
    only_open: with a `manifest.csv`, take only photos whose column `open` says yes.
    unrelated_share: share of pairs whose reference is a crop of some other photo, so that bad matches are met.
    group_share: share of pairs, among photos whose manifest `group` has several, whose reference is cut from another
        photo of the group, at the place that correlates best with the HR crop.
    min_correlation: below it a place in another photo is not taken to show the same thing, and the photo itself serves.
    """

    hr_size: int = 96
    ref_size: int = 96
    only_open: bool = False
    unrelated_share: float = 0.05
    group_share: float = 0.5
    min_correlation: float = 0.85
    warp: Warp = field(default_factory=Warp)

    def __post_init__(self) -> None:
        for name in ("hr_size", "ref_size"):
            if getattr(self, name) < 16 or getattr(self, name) % 4:
                raise ValueError(f"{name} must be a multiple of 4 and at least 16, not {getattr(self, name)}")
        for name in ("unrelated_share", "group_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], not {getattr(self, name)}")


class PhotoPairs(Dataset[Pair]):
    """An endless set of pairs: pair i depends on the seed and i alone, whoever asks and in whatever order.

    The photos are decoded once and kept in memory.

    Raises:
        DataError: no folder, no photos in it, a photo that cannot be read, or one smaller than the crops.
    """

    def __init__(self, folder: Path, options: PhotosOptions, seed: int) -> None:
        self.options, self.seed = options, seed
        groups = _photo_groups(folder, options.only_open)
        smallest = max(options.hr_size, options.ref_size)
        self.photos: list[Pixels] = []
        self.others: list[list[int]] = []
        for paths in groups:
            first = len(self.photos)
            members = range(first, first + len(paths))
            for path in paths:
                self.photos.append(_decode(path, smallest))
                self.others.append([member for member in members if member != len(self.photos) - 1])

    def __len__(self) -> int:
        return 2**31

    def __getitem__(self, number: int) -> Pair:
        rng = np.random.default_rng([self.seed, number])
        chosen = int(rng.integers(len(self.photos)))
        options = self.options
        if rng.random() < options.unrelated_share:
            pair = self._unrelated(chosen, rng)
        elif self.others[chosen] and rng.random() < options.group_share:
            pair = self._of_group(chosen, rng)
        else:
            pair = None
        return pair or two_views(self.photos[chosen], options.hr_size, options.ref_size, options.warp, rng)

    def _unrelated(self, chosen: int, rng: np.random.Generator) -> Pair:
        other = int(rng.integers(len(self.photos)))
        hr_size, ref_size = self.options.hr_size, self.options.ref_size
        hr = draw_window(self.photos[chosen], hr_size, hr_size, rng)
        ref = draw_window(self.photos[other], ref_size, ref_size, rng)
        return Pair(np.ascontiguousarray(hr), np.ascontiguousarray(ref))

    def _of_group(self, chosen: int, rng: np.random.Generator) -> Pair | None:
        options = self.options
        size = max(options.hr_size, options.ref_size)
        photo, other = self.photos[chosen], self.photos[int(rng.choice(self.others[chosen]))]
        top, left = (int(rng.integers(0, side - size + 1)) for side in photo.shape[:2])
        piece = photo[top : top + size, left : left + size]
        correlation, there_top, there_left = find(piece, other)
        if correlation < options.min_correlation:
            return None
        seen = other[there_top : there_top + size, there_left : there_left + size]
        turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
        hr, ref = (np.rot90(image, turns) for image in (piece, seen))
        if mirrored:
            hr, ref = hr[:, ::-1], ref[:, ::-1]
        hr = hr[: options.hr_size, : options.hr_size]
        ref = recolour(ref[: options.ref_size, : options.ref_size], options.warp, rng)
        return Pair(np.ascontiguousarray(hr), np.ascontiguousarray(ref))


def _photo_groups(folder: Path, only_open: bool) -> list[list[Path]]:
    """Paths of the photos, those of one scene together."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give --data a folder of photos")
    manifest = folder / "manifest.csv"
    if manifest.is_file():
        with manifest.open(newline="", encoding="utf-8") as lines:
            rows = [row for row in csv.DictReader(lines) if not only_open or row.get("open") == "yes"]
        groups: dict[str, list[Path]] = defaultdict(list)
        for row in rows:
            groups[row.get("group") or row["file"]].append(folder / row["file"])
        found = list(groups.values())
    elif only_open:
        raise DataError(f"{folder}: the recipe takes only openly licensed photos, but there is no manifest.csv to tell")
    else:
        found = [[path] for path in sorted(folder.rglob("*")) if path.suffix.lower() in READ]
    if not found:
        raise DataError(f"{folder}: no photos in it (looked for {' '.join(READ)})")
    return found


def _decode(path: Path, smallest: int) -> Pixels:
    try:
        pixels = read_picture(path).rgb
    except ImageError as error:
        raise DataError(f"{error} (mend or remove it)") from error
    if min(pixels.shape[:2]) < smallest:
        raise DataError(f"{path}: {pixels.shape[1]}x{pixels.shape[0]} is smaller than the crops of {smallest} px")
    return pixels
