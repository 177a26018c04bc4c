"""CUFED's training layout: `input/NAME` and `ref/NAME`, pictures of one size (160x160 in CUFED itself)."""

from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from ttsr.errors import DataError, ImageError
from ttsr.images.formats import READ
from ttsr.images.reading import read_picture
from ttsr.images.resize import cut_to_multiple

from .sample import Pair, Pixels


class CufedPairs(Dataset[Pair]):
    """Endless shuffled passes over the pairs, input and reference each flipped and turned at random, apart.

    Pair i depends on the seed and i alone: within a pass every pair comes once.

    Raises:
        DataError: no such layout, no pairs, or an input without a reference.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        inputs, references = folder / "input", folder / "ref"
        if not inputs.is_dir() or not references.is_dir():
            raise DataError(f"{folder}: not a CUFED data set; it must hold the folders input/ and ref/")
        self.seed = seed
        self.names = sorted(path.name for path in inputs.iterdir() if path.suffix.lower() in READ)
        self.inputs, self.references = inputs, references
        if not self.names:
            raise DataError(f"{inputs}: no pictures in it")
        lonely = [name for name in self.names if not (references / name).is_file()]
        if lonely:
            count = f"{len(lonely)} of {len(self.names)}"
            raise DataError(f"{references}: {count} references are missing, first {lonely[0]}")

    def __len__(self) -> int:
        return 2**31

    def __getitem__(self, number: int) -> Pair:
        turn, place = divmod(number, len(self.names))
        order = np.random.default_rng([self.seed, turn]).permutation(len(self.names))
        name = self.names[order[place]]
        rng = np.random.default_rng([self.seed, turn, place])
        return Pair(_turned(_read(self.inputs / name), rng), _turned(_read(self.references / name), rng))


def _read(path: Path) -> Pixels:
    try:
        return cut_to_multiple(read_picture(path).rgb)
    except ImageError as error:
        raise DataError(f"{error} (mend or remove it)") from error


def _turned(image: Pixels, rng: np.random.Generator) -> Pixels:
    image = np.rot90(image, int(rng.integers(4)))
    return np.ascontiguousarray(image[:, ::-1] if rng.integers(2) else image)
