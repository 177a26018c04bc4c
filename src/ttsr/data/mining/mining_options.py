"""What can be chosen about the pairs that are mined."""

from dataclasses import dataclass

from ttsr.errors import DataError


@dataclass(frozen=True)
class MiningOptions:
    """How pairs are cropped.

    Attributes:
        size: side of the crops in pixels, a multiple of 4, at least 32.
        min_overlap: share of an input crop that its reference crop must show, above 0, up to 1.
        per_pair: most crops of a photo pair; half of them have their input from either photo.
        max_pairs: most crops in all, taken from the matched photo pairs at random. None: no limit.
        longest_side: larger photos are first shrunk to it, and boxes are in pixels of the shrunk photo. None: as is.
        seed: of the crops' positions.
        workers: number of processes.

    Raises:
        DataError: a value out of range.
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
            raise DataError(f"size {self.size}", "take a multiple of 4, 32 or more")
        if not 0 < self.min_overlap <= 1:
            raise DataError(f"min_overlap {self.min_overlap}", "take a share above 0, up to 1")
        if self.seed < 0:
            raise DataError(f"seed {self.seed}", "take 0 or more")
        if self.longest_side is not None and self.longest_side < self.size:
            raise DataError(f"longest_side {self.longest_side}", f"take no less than the crops' {self.size} px")
        for name in ("per_pair", "max_pairs", "workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise DataError(f"{name} {value}", "take 1 or more")
