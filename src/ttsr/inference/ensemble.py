"""Self-ensemble: the mean of what the network makes of a picture and of its mirror images, each mirrored back.

Also called geometric self-ensemble (Timofte et al., CVPR 2016). Errors that depend on the orientation average out.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttsr.images.picture import Picture
from ttsr.inference.references import ReferencePixels
from ttsr.progress import Progress

MIRRORINGS: tuple[tuple[int, ...], ...] = ((0,), (1,), (0, 1))
"""Axes, rows first, along which the picture is mirrored for each further pass."""

Pass = Callable[[Picture, list[ReferencePixels], Picture | None, Progress], NDArray[Any]]
"""Upscales a picture by the textures of references, on another tool's enlargement or its own: (4h, 4w, 3)."""


def mean_with_mirrored(
    result: NDArray[Any],
    upscale: Pass,
    picture: Picture,
    references: Sequence[ReferencePixels],
    base: Picture | None,
    progress: Progress,
) -> NDArray[Any]:
    """The rounded mean of the result of `upscale` for a picture, (4h, 4w, 3), and those for its mirror images."""
    total = result.astype(np.float32)
    for number, axes in enumerate(MIRRORINGS):
        mirrored = [replace(r, rgb=_mirrored(r.rgb, axes), mask=_mirrored(r.mask, axes)) for r in references]
        share = progress.part(number / len(MIRRORINGS), (number + 1) / len(MIRRORINGS))
        total += np.flip(upscale(_picture(picture, axes), mirrored, _picture(base, axes), share), axes)
    return np.rint(total / (1 + len(MIRRORINGS))).astype(result.dtype)


def _picture(picture: Any, axes: tuple[int, ...]) -> Any:
    return None if picture is None else replace(picture, rgb=_mirrored(picture.rgb, axes))


def _mirrored(pixels: Any, axes: tuple[int, ...]) -> Any:
    return None if pixels is None else np.ascontiguousarray(np.flip(pixels, axes))
