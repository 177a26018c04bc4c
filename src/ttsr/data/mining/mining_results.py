"""The mined pairs, and what became of the photos."""

import csv
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass, field
from pathlib import Path

from ttsr.data.mining.crop_selection import CropPair

_COLUMNS = (
    *("name", "input", "input_left", "input_top", "input_width", "input_height"),
    *("reference", "reference_left", "reference_top", "reference_width", "reference_height"),
    *("inliers", "overlap", "scale", "rotation"),
)


@dataclass(frozen=True)
class MinedPair:
    """A pair of the data set: the names of its photos, where both were cropped, and how many of their keypoints agree.

    Its files are NAME.png in both folders; the name is empty until they are written.
    """

    input: str
    reference: str
    crop: CropPair
    inliers: int
    name: str = ""


@dataclass
class MiningSummary:
    """What became of the photos. Names are paths from the folder of photos, with slashes.

    Attributes:
        photos: those that were read and are large enough.
        unreadable: reasons, by name.
        small: sizes of photos that are smaller than the crops, by name.
        compared: number of photo pairs compared.
        matched: number of photo pairs that show the same thing.
        duplicates: matched photo pairs that are one photo, and were left out.
        pairs: what was written.
        rejected: number of positions that gave no crop, by reason.
    """

    photos: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    small: dict[str, str] = field(default_factory=dict)
    compared: int = 0
    matched: int = 0
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    pairs: list[MinedPair] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)

    @property
    def overlaps(self) -> tuple[float, float, float, float, float]:
        """Least, lower quartile, median, upper quartile and greatest of the written pairs' overlaps."""
        values = sorted(pair.crop.overlap for pair in self.pairs)
        quartiles = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
        return values[0], quartiles[0], quartiles[1], quartiles[2], values[-1]


def write_manifest(path: Path, pairs: Iterable[MinedPair]) -> None:
    """Write `manifest.csv`, one row a pair.

    Boxes are in pixels of the photos, overlap is a share, scale that of reference to input, rotation in degrees.
    """
    # The bytes of a name that is not UTF-8 are escaped, so that the file is UTF-8.
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for pair in pairs:
            crop = pair.crop
            sides = [pair.input, *astuple(crop.box), pair.reference, *astuple(crop.ref_box)]
            measures = [pair.inliers, f"{crop.overlap:.3f}", f"{crop.scale:.3f}", f"{crop.rotation:.1f}"]
            writer.writerow([f"{pair.name}.png", *sides, *measures])
