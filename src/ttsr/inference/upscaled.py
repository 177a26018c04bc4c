"""The result of an upscale, and where its textures came from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ttsr.geometry import apply
from ttsr.images.picture import Picture
from ttsr.images.resize import SCALE
from ttsr.images.writing import DEFAULT_QUALITY, write_picture
from ttsr.inference.plan import Plan
from ttsr.inference.references import Reference
from ttsr.inference.texture_origins import TextureOrigin, matched, texture_origin, unmatched_note
from ttsr.models.correspondence.types import Grid

_MEMORY_NOTE = "memory was short, so features were stored in 16 bits: with more of it the result would differ slightly"


@dataclass(frozen=True)
class Upscaled:
    """A picture four times larger, and where its textures came from.

    Attributes:
        picture: the pixels, with transparency, colour profile and metadata of the LR picture.
        relevance: (h, w) float32 on the LR grid: the cosine between each cell and its best match, at most 1.
        confidence: (h, w, 3) float32: how far the textures of the 1x, 2x and 4x level were let in; the relevance
            itself in the published network, learned match confidence in others.
        index: (h, w, 3) int32: for each LR pixel the number of the reference, from 0 on, and the row and column, in
            pixels of that reference's upright picture, of the first of the 4x4 pixels that match it best: a multiple
            of 4 in the published network, any pixel where matches are refined or references resampled. All -1 where
            no reference was used.
        references: as they were fitted to the picture.
        own_reference: there were none, and the LR picture was its own, as for networks without a trunk.
        seconds: time taken by `Upscaler.upscale`.
        peak_memory_bytes: the most that the process has held so far (on CUDA: of the GPU's memory).
        plan: what was estimated before.
        matches: (h, w) int64, the best match of each LR pixel as its place in the grids of 4x4 pixels of all references
            that were not left out, laid end to end as they were fitted: what `Upscaler.upscale` takes as the `start` of
            the next frame. All -1 where no reference was used.
    """

    picture: Picture
    relevance: NDArray[np.float32]
    confidence: NDArray[np.float32]
    index: NDArray[np.int32]
    references: tuple[Reference, ...]
    own_reference: bool
    seconds: float
    peak_memory_bytes: int
    plan: Plan
    matches: NDArray[np.int64]

    @cached_property
    def image(self) -> Image.Image:
        """The result as a Pillow image of mode L, LA, RGB or RGBA, like the LR picture, with 8 bits a channel."""
        return self.picture.to_pil()

    @property
    def notes(self) -> tuple[str, ...]:
        """What reading changed, whether most of it found no match, and whether memory was short; a sentence each."""
        return (*self.picture.notes, *filter(None, [unmatched_note(self), _MEMORY_NOTE * self.plan.half_features]))

    @cached_property
    def unmatched(self) -> float:
        """Share of the picture, from 0 to 1, that no reference has a match for; see `texture_origins.matched`."""
        return 1 - float(matched(self).mean())

    def provenance(self, x: int, y: int) -> TextureOrigin | None:
        """Where the texture of a pixel came from: which reference, where in it, how relevant, and how far let in.

        That is the match of the LR pixel that it lies on. What is transferred is the mean of nine: of this match and of
        those of the eight LR pixels about it, each moved along.

        Args:
            x: column in pixels of `picture`, from 0 on, at whatever size it has.
            y: row there.

        Returns:
            None where no reference was used.

        Raises:
            ImageError: the pixel lies outside the picture.
        """
        return texture_origin(self, x, y)

    def save(self, path: str | Path, *, quality: int = DEFAULT_QUALITY) -> tuple[str, ...]:
        """Write the result; see `ttsr.images.writing.write_picture`."""
        return write_picture(self.picture, path, quality=quality)


def places(index: np.ndarray, grids: Sequence[Grid], shift: np.ndarray | None = None) -> np.ndarray:
    """Reference number, and row and column in its pixels, (h, w, 3), of positions over all grids laid end to end.

    Args:
        index: (h, w), as in `TTSROutput.index`.
        grids: (H / 4, W / 4) of each reference.
        shift: (2, h, w), as in `Refinement.shift`; with it the positions are to the pixel.
    """
    first = np.cumsum([0, *(height * width for height, width in grids)])
    number = np.searchsorted(first, index, side="right") - 1
    heights, widths = np.array(grids).T[:, number]
    if shift is None:
        local = index - first[number]
        row, column = local // widths * SCALE, local % widths * SCALE
    else:
        cells = SCALE * np.indices(index.shape)
        row, column = np.clip(shift + cells, 0, SCALE * np.stack([heights, widths]) - SCALE)
    return np.stack([number, row, column], axis=-1).astype(np.int32)


def places_in_sources(
    index: np.ndarray, references: Sequence[Reference], shift: np.ndarray | None = None
) -> np.ndarray:
    """`places` in the upright pictures of fitted references, numbered over all of them; -1 if all were left out."""
    found = np.full((*index.shape, 3), -1, np.int32)
    used = [number for number, reference in enumerate(references) if not reference.left_out]
    if not used:
        return found
    fitted = places(index, [references[number].grid for number in used], shift)
    for place, number in enumerate(used):
        here, pixels = fitted[..., 0] == place, references[number].pixels
        # Of the first pixel's centre.
        points = apply(pixels.to_source, fitted[here][:, :0:-1] + 0.5)
        width, height = pixels.source.size
        columns, rows = np.clip(np.floor(points), 0, [width - 1, height - 1]).astype(np.int32).T
        found[here] = np.stack([np.full_like(rows, number), rows, columns], -1)
    return found
