"""CUFED's training layout: `input/NAME` and `ref/NAME`, pictures of about one size (160x160 in CUFED itself)."""

from collections import defaultdict
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ttsr.data.crops import Pixels8, flip, random_flip, rgb8
from ttsr.data.cufed_layout import open_training_set
from ttsr.data.pair_options import CufedOptions, PaddingOrder
from ttsr.data.sample import Pair
from ttsr.data.store import Store
from ttsr.errors import DataError, ImageError
from ttsr.images.resize import SCALE, downscale4, resize_bicubic, upscale4


class CufedPairs(Dataset[Pair]):
    """Endless shuffled epochs over the pairs of a folder or a packed file, found as `ttsr.data.cufed_layout` says.

    Pair i depends on the seed and i alone; each pair comes once an epoch.
    Both sides are degraded first and flipped after, as in both public implementations. A pair whose picture cannot be
    read, or whose input is smaller than the crop, is replaced by the next usable one of the epoch; `Pair.skipped`
    names it.

    Raises:
        DataError: no such layout, no pairs, or inputs without a reference; on reading, no pair that can be used, or as
            an AwayError none for now.
    """

    skipped: tuple[str, ...] = ()
    """Always empty: pictures are read only when their pair is made. `PhotoPairs` has it too."""

    num_mined = 0
    """Mined pairs that are mixed in, as of `PhotoPairs`."""

    @property
    def pictures(self) -> list[str]:
        """Names of all pictures that pairs are made of, as of `PhotoPairs`."""
        return [name for names in self.pairs for name in names]

    def __init__(self, folder: Path, options: CufedOptions, seed: int) -> None:
        self.options, self.seed = options, seed
        self.store = open_training_set(folder)
        self.pairs = list_pairs(self.store)
        self._unusable: dict[int, str] = {}

    def __len__(self) -> int:
        return 2**31

    def __getitem__(self, number: int) -> Pair:
        epoch, place = divmod(number, len(self.pairs))
        order = _epoch_order(self.seed, epoch, len(self.pairs))
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
        orientation = random_flip(rng) if options.flips else (0, False)
        hr, lr, lr_up = (flip(image, *orientation) for image in (hr, lr, upscale4(lr)))
        orientation = random_flip(rng) if options.flips else (0, False)
        # A reference is cropped as far along as its input, to show the same; at the top left if the input is not
        # cropped, as in MMagic.
        ref_top, ref_left = (
            round(max(0, ref_side - options.ref_size) * start / (side - size)) if side > size else 0
            for ref_side, start, side in zip(reference.shape[:2], (top, left), (height, width), strict=True)
        )
        fitted = fit_reference(reference[ref_top:, ref_left:], options.ref_size, options.padding)
        ref, ref_blur, mask = (flip(image, *orientation) for image in fitted)
        ref_mask = mask if options.mask_padding else None
        return Pair(hr, ref, lr=lr, lr_up=lr_up, ref_blur=ref_blur, ref_mask=ref_mask, skipped=skipped)


@lru_cache(maxsize=4)
def _epoch_order(seed: int, epoch: int, count: int) -> NDArray[np.int_]:
    return np.random.default_rng([seed, epoch]).permutation(count)


def fit_reference(reference: Pixels8, size: int, order: PaddingOrder) -> tuple[Pixels8, Pixels8, NDArray[np.bool_]]:
    """A reference (H, W, 3) uint8 cropped, or padded with zeros, at the right and the bottom to (size, size, 3).

    Returns it, its blurred form, and a mask (size / 4, size / 4) bool: True for cells of 4x4 pixels without padding.

    Args:
        reference: H and W at least 4.
        size: a multiple of 4.
        order: `degrade-then-pad`: blurred at its own size, both then padded (the authors). `pad-then-degrade`: padded
            first, so that the padding's edge is blurred too (MMagic).
    """
    reference = reference[:size, :size]
    height, width = reference.shape[:2]
    padding = ((0, size - height), (0, size - width), (0, 0))
    ref = np.pad(reference, padding)
    blurred = _blur(ref) if order == "pad-then-degrade" else np.pad(_blur(reference), padding)
    mask = np.zeros((size // SCALE, size // SCALE), dtype=bool)
    mask[: height // SCALE, : width // SCALE] = True
    return ref, blurred, mask


def _blur(image: Pixels8) -> Pixels8:
    """As `blur_by_resize`, of any size: a quarter of it is rounded down, as in the authors' code."""
    height, width = image.shape[:2]  # a few of CUFED's references are 159 pixels wide
    return resize_bicubic(resize_bicubic(image, width // SCALE, height // SCALE), width, height)


def list_pairs(store: Store) -> list[tuple[str, str]]:
    """Names of the inputs, in order, each with its reference's: the same, or that of another suffix.

    Raises:
        DataError: not this layout, or inputs without a reference, or with several.
    """
    inputs, references = (_names_in(store, side) for side in ("input", "ref"))
    for side, names, others in (("input", inputs, references), ("ref", references, inputs)):
        if not names:
            raise DataError(f"{store.where}: no pictures in {side}/, {len(others)} beside it", "each needs its partner")
    present, by_stem = set(references), defaultdict[str, list[str]](list)
    for name in references:
        by_stem[_stem(name)].append(name)
    candidates = {name: [name] if name in present else by_stem[_stem(name)] for name in inputs}
    for name, found in candidates.items():
        if len(found) > 1:
            what = f"ref/{found[0]} and ref/{found[1]} both are references of input/{name}"
            raise DataError(f"{store.where}: {what}", "remove one")
    unpaired = [name for name, found in candidates.items() if not found]
    if unpaired:
        what = f"{len(unpaired)} of {len(inputs)} inputs have no reference, the first is input/{unpaired[0]}"
        raise DataError(f"{store.where}: {what}", f"add ref/{unpaired[0]} or remove it")
    return [(f"input/{name}", f"ref/{found[0]}") for name, found in candidates.items()]


def _names_in(store: Store, folder: str) -> list[str]:
    """Names of the pictures in a folder of the store, relative to it."""
    return [name.removeprefix(f"{folder}/") for name in store.names if name.startswith(f"{folder}/")]


def _stem(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()
