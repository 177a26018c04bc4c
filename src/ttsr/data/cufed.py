"""CUFED's training layout: `input/NAME` and `ref/NAME`, pictures of about one size (160x160 in CUFED itself)."""

from collections import defaultdict
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ttsr.data.crops import rgb8
from ttsr.data.flips import flip, random_flip
from ttsr.data.padding import fit_reference
from ttsr.data.pair_options import CufedOptions
from ttsr.data.sample import Pair
from ttsr.data.store import Store, open_store
from ttsr.errors import DataError, ImageError
from ttsr.images.resize import SCALE, downscale4, upscale4


class CufedPairs(Dataset[Pair]):
    """Endless shuffled epochs over the pairs: pair i depends on the seed and i alone; each pair comes once an epoch.

    Both sides are degraded first and flipped after, as in both public implementations. A pair whose picture cannot be
    read, or whose input is smaller than the crop, is replaced by the next usable one of the epoch; `Pair.skipped`
    names it.

    Args:
        folder: a folder or a packed file.
        options: how pairs are cropped, padded and flipped.
        seed: of all draws.

    Raises:
        DataError: no such layout, no pairs, or inputs without a reference; on reading, no pair that can be used.
    """

    skipped: tuple[str, ...] = ()
    """Always empty: pictures are read only when their pair is made. `PhotoPairs` has it too."""

    def __init__(self, folder: Path, options: CufedOptions, seed: int) -> None:
        self.options, self.seed = options, seed
        self.store = open_store(folder)
        self.pairs = list_pairs(self.store)
        self._unusable: dict[int, str] = {}
        self._order: tuple[int, NDArray[np.int_]] | None = None

    def __len__(self) -> int:
        return 2**31

    def __getitem__(self, number: int) -> Pair:
        epoch, place = divmod(number, len(self.pairs))
        order = self._order_of(epoch)
        rng = np.random.default_rng([self.seed, epoch, place])
        skipped: list[str] = []
        for step in range(len(order)):
            chosen = int(order[(place + step) % len(order)])
            if chosen not in self._unusable:
                try:
                    return self._make(*self.pairs[chosen], rng, tuple(skipped))
                except ImageError as error:
                    self._unusable[chosen] = str(error)
            skipped.append(self._unusable[chosen])
        raise DataError(f"{self.store.where}: none of its {len(order)} pairs can be used; the first: {skipped[0]}")

    def _order_of(self, epoch: int) -> NDArray[np.int_]:
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, np.random.default_rng([self.seed, epoch]).permutation(len(self.pairs))
        return self._order[1]

    def _make(self, input_name: str, ref_name: str, rng: np.random.Generator, skipped: tuple[str, ...]) -> Pair:
        options, size = self.options, self.options.hr_size
        picture, reference = (rgb8(self.store.picture(name)) for name in (input_name, ref_name))
        height, width = picture.shape[:2]
        if min(height, width) < size:
            raise ImageError(f"{self.store.shown(input_name)}: {width}x{height} is smaller than the crop of {size} px")
        if min(reference.shape[:2]) < SCALE:
            raise ImageError(f"{self.store.shown(ref_name)}: smaller than {SCALE} px")
        top, left = int(rng.integers(height - size + 1)), int(rng.integers(width - size + 1))
        hr = picture[top : top + size, left : left + size]
        lr = downscale4(hr)
        upright = (0, False)
        orientation = random_flip(rng) if options.flips else upright
        hr, lr, lr_up = (flip(image, *orientation) for image in (hr, lr, upscale4(lr)))
        orientation = random_flip(rng) if options.flips else upright
        sides = zip(reference.shape[:2], (top, left), (height, width), strict=True)
        ref_top, ref_left = (_ref_start(ref, options.ref_size, start, side, size) for ref, start, side in sides)
        reference = reference[ref_top:, ref_left:]
        fitted = fit_reference(reference, options.ref_size, options.padding)
        ref, ref_blur, mask = (flip(image, *orientation) for image in fitted)
        ref_mask = mask if options.mask_padding else None
        return Pair(hr, ref, lr=lr, lr_up=lr_up, ref_blur=ref_blur, ref_mask=ref_mask, skipped=skipped)


def _ref_start(ref_side: int, ref_size: int, start: int, side: int, size: int) -> int:
    """Where to crop a reference to `ref_size`: as far along as its input is cropped to `size`, to show the same.

    The top left if the input is not cropped, as in MMagic.
    """
    return round(max(0, ref_side - ref_size) * start / (side - size)) if side > size else 0


def list_pairs(store: Store) -> list[tuple[str, str]]:
    """Names of the inputs, in order, each with its reference's: the same, or that of another suffix.

    Raises:
        DataError: not this layout, or inputs without a reference, or with several.
    """
    inputs, references = (_names_in(store, side) for side in ("input", "ref"))
    if not inputs and not references:
        if _names_in(store, "train/input"):
            raise DataError(f"{store.where}: CUFED's pairs are in its folder train/", "give that one")
        raise DataError(f"{store.where}: not a CUFED data set", "pictures must be in its folders input/ and ref/")
    for side, names, others in (("input", inputs, references), ("ref", references, inputs)):
        if not names:
            raise DataError(f"{store.where}: no pictures in {side}/, {len(others)} beside it", "each needs its partner")
    present, by_stem = set(references), defaultdict[str, list[str]](list)
    for name in references:
        by_stem[_stem(name)].append(name)
    pairs: list[tuple[str, str]] = []
    unpaired: list[str] = []
    for name in inputs:
        candidates = [name] if name in present else by_stem.get(_stem(name), [])
        if len(candidates) > 1:
            both = " and ".join(f"ref/{candidate}" for candidate in candidates[:2])
            raise DataError(f"{store.where}: {both} both are references of input/{name}", "remove one")
        if not candidates:
            unpaired.append(name)
        else:
            pairs.append((f"input/{name}", f"ref/{candidates[0]}"))
    if unpaired:
        what = f"{len(unpaired)} of {len(inputs)} inputs have no reference, the first is input/{unpaired[0]}"
        raise DataError(f"{store.where}: {what}", f"add ref/{unpaired[0]} or remove it")
    return pairs


def is_cufed(store: Store) -> bool:
    """Whether there are pictures in a folder of the layout; `list_pairs` says whether they are pairs."""
    return any(_names_in(store, side) for side in ("input", "ref"))


def _names_in(store: Store, folder: str) -> list[str]:
    """Names of the pictures in a folder of the store, relative to it."""
    return [name.removeprefix(f"{folder}/") for name in store.names if name.startswith(f"{folder}/")]


def _stem(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()
