"""References as values, passed to any number of upscales, and knowing where they came from."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ttsr.errors import ImageError
from ttsr.images.georeference import LOST
from ttsr.images.opening import open_file
from ttsr.images.picture import Picture
from ttsr.images.reading import Source, read_picture
from ttsr.images.resize import SCALE, cut_to_multiple

if TYPE_CHECKING:  # so that `ttsr --help` does not wait for torch
    from ttsr.inference.fitting import Fit
    from ttsr.models.correspondence.types import Grid
    from ttsr.registration.pose import PoseKeypoints


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


@dataclass(frozen=True, eq=False)
class ReferencePixels:
    """A reference before it is encoded.

    Attributes:
        rgb: (H, W, 3) uint8 or uint16, of whole cells of 4x4.
        source: where it came from.
        notes: on reading it, one sentence each.
        mask: (H/4, W/4), the cells that may be matched; None for all.
        to_source: (3, 3) homography from its pixels (x, y) to pixels of the upright source, the corner of the first
            pixel at (0, 0).
    """

    rgb: NDArray[Any]
    source: ReferenceSource
    notes: tuple[str, ...] = ()
    mask: NDArray[np.bool_] | None = None
    to_source: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))

    @property
    def grid(self) -> "Grid":
        """(H/4, W/4) cells."""
        return self.rgb.shape[0] // SCALE, self.rgb.shape[1] // SCALE

    @cached_property
    def keypoints(self) -> "PoseKeypoints":
        """Its keypoints, found once for any number of LR pictures."""
        from ttsr.registration.pose import PoseKeypoints

        return PoseKeypoints(self.rgb)


@dataclass(frozen=True, eq=False)
class Reference:
    """A reference for any number of upscales, immutable: it may serve several threads at once.

    Attributes:
        pixels: of the reference; of one that is fitted to an LR picture, what the network is given of it.
        fit: how it was fitted to an LR picture, if it was.
    """

    pixels: ReferencePixels
    fit: "Fit | None" = None

    @property
    def source(self) -> ReferenceSource:
        """Where it came from."""
        return self.pixels.source

    @property
    def grid(self) -> "Grid":
        """(H/4, W/4) cells."""
        return self.pixels.grid

    def grid_for(self, lr_size: tuple[int, int]) -> "Grid":
        """About the (H/4, W/4) cells that it has when fitted to an LR picture of (width, height)."""
        if self.fit is None or self.fit.use != "resampled":
            return self.grid
        height, width = self.grid
        return height * lr_size[1] // self.fit.lr_size[1], width * lr_size[0] // self.fit.lr_size[0]

    @property
    def original(self) -> ReferencePixels:
        """Its pixels before any fitting."""
        return self.pixels if self.fit is None else self.fit.original

    @property
    def as_is(self) -> bool:
        """Its pixels are the reference's own, neither resampled nor matched in colour."""
        return self.pixels is self.original

    @property
    def left_out(self) -> bool:
        """It shows nothing that matches the LR picture."""
        return self.fit is not None and self.fit.use == "left out"


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
    sha256 = None
    if file is not None:
        with open_file(file, name) as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    notes = tuple(note for note in picture.notes if note != LOST)  # where it lies does not matter
    return ReferencePixels(cut_to_multiple(picture.rgb), ReferenceSource(name, sha256, picture.size), notes)


def own_reference(lr: np.ndarray) -> np.ndarray:
    """The LR picture as its own reference (the paper's row "LR"): (H, W, 3), cut to a multiple of 4.

    A side of less than 4 pixels is continued with its last row or column.
    """
    missing = [(0, max(0, SCALE - side)) for side in lr.shape[:2]]
    return cut_to_multiple(np.pad(lr, [*missing, (0, 0)], mode="edge"))


def own_pixels(lr: np.ndarray) -> ReferencePixels:
    """An (H, W, 3) picture as its own reference."""
    return ReferencePixels(own_reference(lr), ReferenceSource("LR", None, (lr.shape[1], lr.shape[0])))


def own_grid(size: tuple[int, int]) -> "Grid":
    """The (H/4, W/4) cells of `own_reference` of a picture of (width, height)."""
    return max(1, size[1] // SCALE), max(1, size[0] // SCALE)


def checked_references(references: Sequence[Reference]) -> tuple[Reference, ...]:
    """As a tuple, if that is what they are.

    Raises:
        ImageError: some are no `Reference`.
    """
    if not isinstance(references, Sequence) or not all(isinstance(r, Reference) for r in references):
        raise ImageError("references: are not encoded", "give those that encode_references returns")
    return tuple(references)


def checked_start(
    start: NDArray[np.int64] | None, picture: Picture, references: Sequence[ReferencePixels]
) -> NDArray[np.int64] | None:
    """Matches to start a search from; None where there is nothing to match.

    Raises:
        ImageError: they are not of such a picture with such references.
    """
    if start is None or not references:
        return None
    cells = sum(height * width for height, width in (reference.grid for reference in references))
    matches = isinstance(start, np.ndarray) and np.issubdtype(start.dtype, np.integer)
    if not matches or start.shape != picture.rgb.shape[:2] or start.min() < 0 or start.max() >= cells:
        raise ImageError("start: is not of a picture of this size with these references", "leave it out")
    return np.array(start, np.int64)  # of its own: it may be read-only, or of another byte order
