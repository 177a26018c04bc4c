"""Upscale the frames of a film one after the other, each with what was found for the one before.

References are fitted and encoded once, for as long as the picture stays about the same, and the matches of a frame are
tried for the next one too. That is faster, and textures stay where they are.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttsr.images.picture import Picture
from ttsr.images.resize import resize_bicubic
from ttsr.inference.references import Reference
from ttsr.inference.sizes import plan_to, upscale_to
from ttsr.inference.upscaled import Upscaled
from ttsr.inference.upscaler import Upscaler
from ttsr.progress import Progress

# Frames are compared on copies of so many pixels along their longer side.
_THUMBNAIL = 32
# The mean difference of such copies, of values in [0, 1], from which on a frame is another picture.
_CHANGED = 0.02
_FITTING_SHARE = 0.5  # of the time of a frame to which references are fitted, about

MoreReferences = Callable[[int, NDArray[Any]], Sequence[Reference]]
"""Gives further references for a frame, by its number and its pixels (h, w, 3)."""


class FrameUpscaler:
    """Upscales frames of one size in their order.

    Args:
        upscaler: the network.
        references: from its `encode_references`, for all frames.
        size: (width, height) of the results.
        more: gives further references for a frame, where references are fitted.

    Attributes:
        fitted: the references as they are fitted now.
        fitted_to: the frame, (h, w, 3), that the references are fitted to; None before the first.
        fitted_at: its number.
        matches: those of the last frame, if the next may begin with them.
        fits: how often references were fitted.
    """

    def __init__(
        self,
        upscaler: Upscaler,
        references: Sequence[Reference],
        size: tuple[int, int],
        more: MoreReferences | None = None,
    ) -> None:
        self._upscaler, self._references, self._size, self._more = upscaler, tuple(references), size, more
        self.fitted: tuple[Reference, ...] = ()
        self.fitted_to: NDArray[Any] | None = None
        self.fitted_at = 0
        self.matches: NDArray[np.int64] | None = None
        self.fits = 0

    def resume(self, fitted_to: NDArray[Any], fitted_at: int, matches: NDArray[np.int64] | None) -> None:
        """Go on behind a frame, from what the attributes of the same names were then."""
        self._fit(fitted_to, fitted_at, Progress())
        self.matches = matches

    def upscale(self, rgb: NDArray[Any], number: int, progress: Progress | None = None) -> Upscaled:
        """Upscale the next frame, (h, w, 3) uint8 or uint16.

        Raises:
            UserError: as `Upscaler.upscale`.
            Cancelled: through `progress`.
        """
        progress = progress or Progress()
        done = 0.0
        if self.fitted_to is None or differ(rgb, self.fitted_to):
            done = _FITTING_SHARE
            self._fit(rgb, number, progress.part(0, done))
            self.fits += 1
        picture = Picture(rgb)
        plan = plan_to(self._upscaler, picture, self._size, self.fitted)
        result = upscale_to(
            self._upscaler,
            picture,
            self._size,
            self.fitted,
            start=self.matches,
            plan=plan,
            progress=progress.part(done, 1),
        )
        self.matches = result.matches if result.matches.min() >= 0 and not result.own_reference else None
        return result

    def _fit(self, rgb: NDArray[Any], number: int, progress: Progress) -> None:
        more = () if self._more is None else self._more(number, rgb)
        fitted = self._upscaler.fit_references(Picture(rgb), (*self._references, *more), progress=progress.part(0, 0.8))
        self._upscaler.keep(fitted, progress=progress.part(0.8, 1))
        self.fitted, self.fitted_to, self.fitted_at, self.matches = fitted, rgb, number, None


def differ(frame: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two frames show different pictures: another scene, other light, or a camera that has moved on."""
    here, there = _thumbnail(frame), _thumbnail(other)
    return here.shape != there.shape or float(np.abs(here - there).mean()) > _CHANGED


def _thumbnail(frame: NDArray[Any]) -> NDArray[np.float64]:
    height, width = frame.shape[:2]
    shrink = max(1.0, max(height, width) / _THUMBNAIL)
    small = resize_bicubic(frame, max(1, round(width / shrink)), max(1, round(height / shrink)))
    return small.astype(np.float64) / np.iinfo(frame.dtype).max
