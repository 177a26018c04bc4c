"""`manifest.csv`: where each pair of the data set was cut."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ttsr.data.mining.crops import Crop

COLUMNS = (
    "name",
    "input",
    "input_left",
    "input_top",
    "input_width",
    "input_height",
    "reference",
    "reference_left",
    "reference_top",
    "reference_width",
    "reference_height",
    "inliers",
    "overlap",
    "scale",
    "rotation",
)


@dataclass(frozen=True)
class WrittenPair:
    """A pair of the data set: NAME.png in both folders, the photos it was cut from, and where.

    inliers: how many key points of both photos agree.
    """

    name: str
    input: str
    reference: str
    crop: Crop
    inliers: int


def write_manifest(path: Path, pairs: Iterable[WrittenPair]) -> None:
    """One row a pair: boxes in pixels of the photos, overlap as a share, scale reference / input, rotation in degrees.

    Raises:
        OSError: it cannot be written.
    """
    # The bytes of a name that is no UTF-8 are spelt out, so that the file is.
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for pair in pairs:
            crop = pair.crop
            box, ref_box = crop.box, crop.ref_box
            writer.writerow(
                [
                    f"{pair.name}.png",
                    pair.input,
                    *(box.left, box.top, box.width, box.height),
                    pair.reference,
                    *(ref_box.left, ref_box.top, ref_box.width, ref_box.height),
                    pair.inliers,
                    f"{crop.overlap:.3f}",
                    f"{crop.scale:.3f}",
                    f"{crop.rotation:.1f}",
                ]
            )
