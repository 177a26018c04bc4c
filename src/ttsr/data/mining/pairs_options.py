"""What `ttsr pairs` is asked for."""

from dataclasses import dataclass

from ttsr.errors import DataError


@dataclass(frozen=True)
class PairsOptions:
    """How a data set is cut.

    size: side of the crops in pixels, a multiple of 4.
    min_overlap: share of an input crop that its reference crop must show.
    per_pair: crops of a photo pair, at most; half of them have their input from either photo.
    max_pairs: crops in all, at most; they are then taken from the matched photo pairs at random. None: all.
    longest_side: larger photos are first shrunk to it, and boxes are in pixels of the shrunk photo. None: as they are.
    seed: of where the crops lie.
    workers: processes.

    Raises:
        DataError: a value that cannot be.
    """

    size: int = 160
    min_overlap: float = 0.5
    per_pair: int = 4
    max_pairs: int | None = None
    longest_side: int | None = None
    seed: int = 0
    workers: int = 1

    def __post_init__(self) -> None:
        if self.size < 32 or self.size % 4:
            raise DataError(f"--size {self.size}: take a multiple of 4, 32 or more")
        if not 0 < self.min_overlap <= 1:
            raise DataError(f"--min-overlap {self.min_overlap}: take a share above 0, up to 1")
        if self.seed < 0:
            raise DataError(f"--seed {self.seed}: take 0 or more")
        if self.longest_side is not None and self.longest_side < self.size:
            raise DataError(f"--longest-side {self.longest_side}: is smaller than the crops of {self.size} px")
        for name in ("per_pair", "max_pairs", "workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise DataError(f"--{name.replace('_', '-')} {value}: take at least 1")
