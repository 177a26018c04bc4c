"""Pictures seen before the work, so that a bad one does not end it in the middle."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from ttsr.errors import ImageError
from ttsr.evaluation.protocols import Protocol
from ttsr.evaluation.scored_picture import read_reference, read_truth
from ttsr.images.resize import SCALE

# Files and pixels that need no more than a look at the header; others are read.
_FORMATS = ("PNG", "JPEG")
_PLAIN = {"1", "L", "LA", "P", "RGB", "RGBA"}


def check_truth(path: Path, protocols: Sequence[Protocol]) -> None:
    """See that a truth can be read and is large enough for all protocols.

    Raises:
        ImageError: it cannot or is not.
    """
    height, width = read_truth(path).shape[:2]
    strictest = max(protocols, key=lambda protocol: protocol.smallest_side)
    side = strictest.smallest_side
    if min(height, width) < side:
        raise ImageError(
            f"{path}: {width}x{height} pixels are too few to score by {strictest.name}, it takes {side}x{side} at least"
        )


def check_reference(path: Path) -> None:
    """See by its header that a reference is a picture of 4x4 pixels at least; only where that does not tell, read it.

    Raises:
        ImageError: it is not.
    """
    if not _header_is_well(path):
        read_reference(path)


def _header_is_well(path: Path) -> bool:
    if not path.is_file():  # to open a pipe might never end
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a large picture, which is no fault
            with Image.open(path, formats=_FORMATS) as image:
                return image.mode in _PLAIN and min(image.size) >= SCALE
    except Exception:  # a damaged header raises any error; to read the picture says what is wrong with it
        return False
