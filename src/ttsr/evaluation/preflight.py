"""Preflight checks of a test set, so that a bad picture does not end the evaluation in the middle."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from ttsr.data.cufed5 import Group, PictureFile, ReferenceChoice
from ttsr.errors import ImageError
from ttsr.evaluation.protocols import Protocol
from ttsr.evaluation.reference_choice import ChosenReferences, choose_references
from ttsr.evaluation.scored_picture import read_ground_truth, read_reference
from ttsr.images.resize import SCALE

# Formats and modes whose header is enough to check; other files are read.
_FORMATS = ("PNG", "JPEG")
_MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}


def check_test_set(
    groups: Sequence[Group], references: Sequence[ReferenceChoice], protocols: Sequence[Protocol]
) -> dict[ReferenceChoice, list[ChosenReferences]]:
    """Return the files of each group for each choice of references, and check that they can be read and scored.

    Every ground truth is read, but of most references only the header.

    Raises:
        DataError: a group has no reference at all, or "unrelated" is requested with fewer than two groups.
        ImageError: a ground truth is unreadable or too small to score, or a reference is no picture or smaller than
            4x4.
    """
    chosen: dict[ReferenceChoice, list[ChosenReferences]] = {r: choose_references(groups, r) for r in references}
    strictest = max(protocols, key=lambda protocol: protocol.smallest_side)
    side = strictest.smallest_side
    for group in groups:
        height, width = read_ground_truth(group.hr).shape[:2]
        if min(height, width) < side:
            what = f"{group.hr}: {width}x{height} pixels are too few to score by {strictest.name}"
            raise ImageError(what, f"take {side}x{side} at least")
    for path in dict.fromkeys(path for choices in chosen.values() for choice in choices for path in choice.files):
        if not _has_valid_header(path):
            read_reference(path)
    return chosen


def _has_valid_header(path: PictureFile) -> bool:
    if not isinstance(path, Path) or not path.is_file():  # opening a pipe might block forever
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a large picture is allowed
            with Image.open(path, formats=_FORMATS) as image:
                return image.mode in _MODES and min(image.size) >= SCALE
    except Exception:  # a damaged header raises any error; reading the picture tells what is wrong
        return False
