"""Training pairs made on the fly from a plain folder of photos, or a packed one."""

from collections import defaultdict
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from ttsr.data.crops import Pixels8, flip, random_flip, rgb8
from ttsr.data.fitted_views import fitted_views
from ttsr.data.lr_degradations import degraded_lr
from ttsr.data.manifest import MANIFEST, open_rows, read_manifest
from ttsr.data.mined_pairs import MinedPairs
from ttsr.data.pair_options import PhotosOptions
from ttsr.data.reference_degradations import degrade
from ttsr.data.sample import Pair
from ttsr.data.store import Store, open_store
from ttsr.data.views import color_jitter, draw_window, two_views, window_side
from ttsr.errors import DataError, ImageError
from ttsr.images.formats import READ
from ttsr.system.memory import available_bytes

_SHRINK = 8  # photos of a scene are compared at this part of their size


class PhotoPairs(Dataset[Pair]):
    """An endless data set from a folder or a packed file, whose photos are decoded once and kept in memory.

    Pair i depends on the seed and i alone, whatever the process and order.

    Args:
        folder: of the photos.
        options: how pairs are made.
        seed: of all random choices.
        mined: a folder or a packed file of pairs that `ttsr pairs` mined, for `options.mined_share`.
        with_references: False makes HR crops alone.

    Attributes:
        num_mined: mined pairs that are mixed in.
        pictures: names of the photos that pairs are made of, without the mined ones.
        skipped: photos that could not be used, 'name: reason'; the pairs are those of a folder without them.

    Raises:
        DataError: no folder, no photos in it, none that can be read and is as large as the crops, or more than fit
            into memory.
    """

    def __init__(
        self,
        folder: Path,
        options: PhotosOptions,
        seed: int,
        *,
        mined: Path | None = None,
        with_references: bool = True,
    ) -> None:
        self.options, self.seed, self._with_references = options, seed, with_references
        store = open_store(folder)
        groups = photo_groups(store, options.only_open)
        smallest = max(options.hr_size, options.ref_size)
        _check_memory(store, [name for names in groups for name in names], smallest)
        self.photos: list[Pixels8] = []
        self.pictures: list[str] = []
        self.others: list[list[int]] = []
        skipped: list[str] = []
        for names in groups:
            first = len(self.photos)
            for name in names:
                try:
                    self.photos.append(_decode(store, name, smallest))
                    self.pictures.append(name)
                except ImageError as error:
                    skipped.append(str(error))
            members = range(first, len(self.photos))
            self.others += [[other for other in members if other != member] for member in members]
        self._mined, self.num_mined = None, 0
        if mined is not None:
            self._mined = MinedPairs(mined, options.hr_size, options.ref_size)
            self.num_mined = len(self._mined.pairs)
            skipped += self._mined.skipped
        self.skipped = tuple(skipped)
        if not self.photos:
            raise DataError(f"{folder}: none of its {len(skipped)} photos can be used; the first: {skipped[0]}")
        areas = np.array([photo.shape[0] * photo.shape[1] for photo in self.photos], float)
        self._areas = areas / areas.sum()

    def __len__(self) -> int:
        return 2**31

    def __getitem__(self, number: int) -> Pair:
        rng = np.random.default_rng([self.seed, number])
        pair = self._pair(rng)
        if self.options.lr_degraded and rng.random() < self.options.lr_degraded:
            pair = replace(pair, lr=degraded_lr(pair.hr, rng))
        return pair

    def _pair(self, rng: np.random.Generator) -> Pair:
        options, chosen = self.options, self._choose(rng)
        hr_size, ref_size = options.hr_size, options.ref_size
        if not self._with_references:
            return Pair(self._window(chosen, hr_size, hr_size, rng), None)
        pair = None
        if self._mined is not None and rng.random() < options.mined_share:
            pair = self._mined.draw(rng)
        elif rng.random() < options.unrelated_share:
            other = self._choose(rng)
            hr = self._window(chosen, hr_size, hr_size, rng)
            pair = Pair(hr, self._window(other, ref_size, ref_size, rng))
        elif self.others[chosen] and rng.random() < options.group_share:
            pair = self._of_group(chosen, rng)
        if pair is None:
            window = self._window(chosen, window_side(hr_size, ref_size), hr_size, rng)
            if options.fitted_share and rng.random() < options.fitted_share:
                return fitted_views(window, options, rng)
            pair = two_views(window, hr_size, ref_size, options.warp, rng)
        assert pair.ref is not None
        return replace(pair, ref=degrade(pair.ref, options, rng))

    def _choose(self, rng: np.random.Generator) -> int:
        if self.options.by_area:
            return int(rng.choice(len(self.photos), p=self._areas))
        return int(rng.integers(len(self.photos)))

    def _window(self, chosen: int, side: int, crop: int, rng: np.random.Generator) -> Pixels8:
        return draw_window(self.photos[chosen], side, crop, rng, downscale=self.options.downscale)

    def _of_group(self, chosen: int, rng: np.random.Generator) -> Pair | None:
        options, size = self.options, max(self.options.hr_size, self.options.ref_size)
        photo, other = self.photos[chosen], self.photos[int(rng.choice(self.others[chosen]))]
        top, left = (int(rng.integers(0, side - size + 1)) for side in photo.shape[:2])
        crop = photo[top : top + size, left : left + size]
        correlation, ref_top, ref_left = match_template(crop, other)
        if correlation < options.min_correlation:
            return None
        ref_crop = other[ref_top : ref_top + size, ref_left : ref_left + size]
        orientation = random_flip(rng)
        hr, ref = (flip(image, *orientation) for image in (crop, ref_crop))
        hr = hr[: options.hr_size, : options.hr_size]
        ref = color_jitter(ref[: options.ref_size, : options.ref_size], options.warp, rng)
        return Pair(np.ascontiguousarray(hr), np.ascontiguousarray(ref))


def match_template(crop: Pixels8, photo: Pixels8) -> tuple[float, int, int]:
    """The place of `photo` that correlates best with `crop`: template matching by zero-normalised cross-correlation.

    Both are (H, W, 3) uint8, the photo no smaller than the crop. They are compared at an eighth of their size, where
    small changes of view hardly matter. Returned are the ZNCC in [-1, 1], and the place's top and left in pixels.
    """
    template, image = _eighth(crop), _eighth(photo)
    template = template - template.mean()
    count = template.numel()
    window = torch.ones_like(template)
    mean = F.conv2d(image, window) / count
    energy = F.conv2d(image.square(), window) - count * mean.square()
    score = F.conv2d(image, template) / (energy.clamp_min(1e-6) * template.square().sum()).sqrt().clamp_min(1e-6)
    best = int(score.argmax())
    top, left = (place * _SHRINK for place in divmod(best, score.shape[3]))
    top, left = min(top, photo.shape[0] - crop.shape[0]), min(left, photo.shape[1] - crop.shape[1])
    return float(score.flatten()[best]), top, left


def _eighth(image: Pixels8) -> Tensor:
    """Gray (1, 1, h / 8, w / 8) in [0, 1]."""
    height, width = (side // _SHRINK * _SHRINK for side in image.shape[:2])
    gray = Image.fromarray(np.ascontiguousarray(image[:height, :width])).convert("L")
    small = gray.resize((width // _SHRINK, height // _SHRINK), Image.Resampling.BOX)
    return torch.from_numpy(np.asarray(small, dtype=np.float32) / 255)[None, None]


def photo_groups(store: Store, only_open: bool) -> list[list[str]]:
    """Names of the photos, those of one scene together: the rows of `manifest.csv` where there is one, or all pictures.

    Raises:
        DataError: no photos, none that is open where only those are wanted, or a manifest that cannot be understood.
    """
    rows = read_manifest(store)
    if rows is None:
        if only_open:
            raise DataError(f"{store.where}: only open photos are wanted, but there is no {MANIFEST} to tell")
        groups = {name: [name] for name in store.names}
    else:
        groups = defaultdict[str, list[str]](list)
        for row in open_rows(rows, store) if only_open else rows:
            groups[row.get("group") or row["file"]].append(row["file"])
    if not groups:
        raise DataError(f"{store.where}: no photos in it (looked for {' '.join(READ)})")
    return list(groups.values())


def _check_memory(store: Store, names: list[str], smallest: int) -> None:
    """See that the decoded photos will fit into memory, by their headers."""
    needed = 0
    for name in names:
        with suppress(ImageError):  # skipped, with a message, on decoding
            width, height = store.size(name)
            needed += 3 * width * height if min(width, height) >= smallest else 0
    free = available_bytes(torch.device("cpu"))
    if needed > free:
        raise DataError(
            f"{store.where}: its photos take {needed / 1e9:.1f} GB of memory when they are decoded, and "
            f"{free / 1e9:.1f} GB are free",
            "train on smaller copies: `ttsr pack` with a largest side writes them",
        )


def _decode(store: Store, name: str, smallest: int) -> Pixels8:
    pixels = rgb8(store.picture(name))
    height, width = pixels.shape[:2]
    if min(height, width) < smallest:
        raise ImageError(f"{store.shown(name)}: {width}x{height} is smaller than the crops of {smallest} px")
    return pixels
