"""Pairs that `ttsr pairs` mined, or others in CUFED's layout, to be mixed into those made from photos."""

from pathlib import Path

import numpy as np

from ttsr.data.crops import Pixels8, flip, random_flip, rgb8
from ttsr.data.cufed import list_pairs
from ttsr.data.cufed_layout import open_training_set
from ttsr.data.sample import Pair
from ttsr.errors import DataError, ImageError


class MinedPairs:
    """The pairs of a folder or a packed file, decoded once and kept in memory.

    Attributes:
        pairs: inputs and their references, each (H, W, 3) uint8, no smaller than the crops.
        skipped: pictures that could not be used, 'name: reason'.

    Args:
        folder: with input/ and ref/.
        hr_size: side of the HR crops.
        ref_size: side of the reference crops.

    Raises:
        DataError: no such layout, or no pairs that can be used.
    """

    def __init__(self, folder: Path, hr_size: int, ref_size: int) -> None:
        self._hr_size, self._ref_size = hr_size, ref_size
        store, skipped = open_training_set(folder), list[str]()
        self.pairs: list[tuple[Pixels8, Pixels8]] = []
        for names in list_pairs(store):
            pair = []
            for name, smallest in zip(names, (hr_size, ref_size), strict=True):
                try:
                    pixels = rgb8(store.picture(name))
                except ImageError as error:
                    skipped.append(str(error))
                    break
                height, width = pixels.shape[:2]
                if min(height, width) < smallest:
                    skipped.append(f"{store.shown(name)}: {width}x{height} is smaller than the crop of {smallest} px")
                    break
                pair.append(pixels)
            else:
                self.pairs.append((pair[0], pair[1]))
        self.skipped = tuple(skipped)
        if not self.pairs:
            raise DataError(f"{folder}: none of its {len(skipped)} pairs can be used; the first: {skipped[0]}")

    def draw(self, rng: np.random.Generator) -> Pair:
        """A random pair, cropped at random, its reference as far along, and both flipped alike."""
        picture, reference = self.pairs[int(rng.integers(len(self.pairs)))]
        shares = rng.random(2)
        orientation = random_flip(rng)
        crops = []
        for image, size in ((picture, self._hr_size), (reference, self._ref_size)):
            top, left = (int(share * (side - size + 1)) for share, side in zip(shares, image.shape[:2], strict=True))
            crops.append(flip(np.ascontiguousarray(image[top : top + size, left : left + size]), *orientation))
        return Pair(crops[0], crops[1])
