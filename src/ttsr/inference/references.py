"""References as values: encoded once, passed to any number of upscales, and knowing where they came from."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ttsr.errors import ImageError
from ttsr.images.picture import Picture
from ttsr.images.reading import Source, read_picture
from ttsr.images.resize import SCALE, cut_to_multiple

if TYPE_CHECKING:  # so that `ttsr --help` does not wait for torch
    from ttsr.models.correspondence.types import EncodedReference, Grid


@dataclass(frozen=True)
class ReferenceSource:
    """Where a reference came from.

    Attributes:
        name: the file's path as it was given, or `reference N` for one that is no file.
        sha256: of the file, if it is one.
        size: (width, height) of the upright picture in pixels.
    """

    name: str
    sha256: str | None
    size: tuple[int, int]


@dataclass(frozen=True)
class Reference:
    """An encoded reference, immutable: it may serve several threads at once.

    Attributes:
        encoded: its keys, textures and mask.
        source: where it came from.
        to_source: (3, 3) homography from pixels (x, y) of the encoded picture to pixels of the upright source, the
            corner of the first pixel at (0, 0).
    """

    encoded: "EncodedReference"
    source: ReferenceSource
    to_source: NDArray[np.float64]

    @property
    def grid(self) -> "Grid":
        """(H/4, W/4) cells."""
        return self.encoded.grid


@dataclass(frozen=True)
class ReferencePixels:
    """A reference before it is encoded: (H, W, 3) uint8 or uint16 of whole cells, its source, notes on reading it."""

    rgb: NDArray[Any]
    source: ReferenceSource
    notes: tuple[str, ...] = ()

    @property
    def grid(self) -> "Grid":
        """(H/4, W/4) cells."""
        return self.rgb.shape[0] // SCALE, self.rgb.shape[1] // SCALE


def read_reference(source: Source | Picture, number: int = 1) -> ReferencePixels:
    """A reference's pixels, cut at the right and below to a multiple of 4, as TTSR's authors do.

    One that is no file is called `reference NUMBER`.

    Raises:
        ImageError: it cannot be read or has less than 4 pixels a side.
    """
    file = Path(source) if isinstance(source, str | os.PathLike) else None
    picture = source if isinstance(source, Picture) else read_picture(source)
    name = f"reference {number}" if file is None else str(source)
    width, height = picture.size
    if min(width, height) < SCALE:
        raise ImageError(f"{name}: a reference needs at least {SCALE}x{SCALE} pixels and has {width}x{height}")
    sha256 = None if file is None else hashlib.sha256(file.read_bytes()).hexdigest()
    return ReferencePixels(cut_to_multiple(picture.rgb), ReferenceSource(name, sha256, picture.size), picture.notes)


def own_reference(lr: np.ndarray) -> np.ndarray:
    """The LR picture as its own reference (the paper's row "LR"): (H, W, 3), cut to a multiple of 4.

    A side of less than 4 pixels is continued with its last row or column.
    """
    missing = [(0, max(0, SCALE - side)) for side in lr.shape[:2]]
    return cut_to_multiple(np.pad(lr, [*missing, (0, 0)], mode="edge"))
