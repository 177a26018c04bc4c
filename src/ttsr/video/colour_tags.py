"""How a film's colours are coded, and its frames as RGB and back."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# Values of ITU-T H.273, as films store them.
_BT709, UNSPECIFIED, _SMPTE170M = 1, 2, 6
_LIMITED, _FULL = 1, 2
# What swscale calls the matrices that it knows; RGB has none.
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
# Players take an untagged film of more rows than these for BT.709, and others for BT.601.
_STANDARD_ROWS = 576
# Bicubic for chroma, in full resolution where it can be, without shortcuts in rounding: SWS_BICUBIC and its companions.
_CAREFUL = 4 | 0x2000 | 0x4000 | 0x40000


@dataclass(frozen=True)
class ColourTags:
    """How YUV becomes RGB, and what RGB means, in the numbers of H.273; 2 for what a film does not say.

    Attributes:
        matrix: from RGB to YUV; never unspecified, for a result that is larger would be taken for another one.
        full_range: 0 is black and 255 is white, and not 16 and 235.
        primaries: of RGB.
        transfer: its curve.
    """

    matrix: int
    full_range: bool
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED


def tags_of(frame: "VideoFrame", primaries: int, transfer: int) -> ColourTags:
    """Those of a film's first frame; `primaries` and `transfer` as its stream has them."""
    matrix = int(frame.colorspace)
    if matrix not in _MATRICES:
        matrix = _BT709 if frame.height > _STANDARD_ROWS else _SMPTE170M
    full = int(frame.color_range) == _FULL or frame.format.name.startswith("yuvj")
    return ColourTags(matrix, full, primaries, transfer)


def to_rgb(frame: "VideoFrame", tags: ColourTags, size: tuple[int, int], *, deep: bool) -> NDArray[Any]:
    """(H, W, 3) uint8, or uint16 where `deep`, of a frame brought to `size` (width, height)."""
    rgb = frame.reformat(
        *size,
        format="rgb48le" if deep else "rgb24",
        src_colorspace=_MATRICES[tags.matrix],
        src_color_range=_FULL if tags.full_range or frame.format.is_rgb else _LIMITED,
        dst_color_range=_FULL,
        interpolation=_CAREFUL,
    ).to_ndarray()
    return np.ascontiguousarray(rgb)


def to_yuv(rgb: NDArray[Any], tags: ColourTags, pixel_format: str) -> "VideoFrame":
    """A frame to encode, of (H, W, 3) uint8 or uint16."""
    from ttsr.video.pyav import pyav

    frame = pyav().VideoFrame.from_ndarray(rgb, format="rgb24" if rgb.dtype == np.uint8 else "rgb48le")
    return frame.reformat(
        format=pixel_format,
        dst_colorspace=_MATRICES[tags.matrix],
        src_color_range=_FULL,
        dst_color_range=_FULL if tags.full_range else _LIMITED,
        interpolation=_CAREFUL,
    )
