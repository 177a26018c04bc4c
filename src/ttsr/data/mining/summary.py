"""What `ttsr pairs` found and what became of it."""

import statistics
from collections import Counter
from dataclasses import dataclass, field

from ttsr.data.mining.pair_manifest import WrittenPair


@dataclass
class Summary:
    """Names are paths from the folder of photos, with slashes.

    Attributes:
        photos: those that were read and are large enough.
        unreadable, small: the others, each with a reason.
        tried, matched: photo pairs compared, and those that show the same thing.
        duplicates: matched photo pairs that are one photo, and were left out.
        pairs: what was written.
        rejected: places for crops that gave none, by reason.
    """

    photos: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    small: dict[str, str] = field(default_factory=dict)
    tried: int = 0
    matched: int = 0
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    pairs: list[WrittenPair] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)

    @property
    def overlaps(self) -> tuple[float, float, float, float, float]:
        """Least, lower quartile, median, upper quartile and greatest of the written pairs' overlaps."""
        values = sorted(pair.crop.overlap for pair in self.pairs)
        quartiles = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
        return values[0], quartiles[0], quartiles[1], quartiles[2], values[-1]
