"""What the rest of the package means by a picture."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ttsr.errors import ImageError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Georeference:
    """Where on the earth a picture lies, and what a GeoTIFF says of its bands.

    Attributes:
        size: (width, height) of the picture that `transform` holds for.
        crs: the coordinate reference system, as well-known text.
        transform: a, b, c, d, e, f of x = a column + b row + c and y = d column + e row + f, from corners of pixels.
        nodata: the value of pixels without data.
        nodata_as_alpha: the picture's transparency was made from that value.
        descriptions: of the bands, in their order.
        area_or_point: what a pixel stands for, as GDAL names it.
    """

    size: tuple[int, int]
    crs: str | None = None
    transform: tuple[float, ...] | None = None
    nodata: float | None = None
    nodata_as_alpha: bool = False
    descriptions: tuple[str | None, ...] = ()
    area_or_point: str | None = None


@dataclass(frozen=True)
class Metadata:
    """What is kept beside the pixels, without what described their old size and orientation.

    Attributes:
        icc_profile: the colour profile, as stored in files.
        exif: a TIFF directory after EXIF's header; empty for none.
        xmp: an XMP packet; empty for none.
        dpi: horizontal and vertical resolution.
        text: PNG's text chunks; the comment of a JPEG or GIF as "Comment".
        georeference: of a GeoTIFF.
    """

    icc_profile: bytes | None = None
    exif: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    text: dict[str, str] = field(default_factory=dict)
    georeference: Georeference | None = None


@dataclass(frozen=True)
class Picture:
    """Pixels in upright orientation, with 8 or 16 bits a channel.

    Attributes:
        rgb: (H, W, 3) uint8 or uint16. A gray picture has three equal channels.
        alpha: (H, W) of the same type, or None for a picture without transparency.
        gray: the source was gray, and results made from it should be too.
        metadata: colour profile, EXIF, XMP, resolution and texts.
        notes: a sentence for each thing that reading changed, for people to read.

    Raises:
        ImageError: the arrays are of another type or shape.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None = None
    gray: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        rgb, alpha = self.rgb, self.alpha
        if not isinstance(rgb, np.ndarray) or not isinstance(alpha, np.ndarray | None):
            raise ImageError("pixels and alpha of a picture are arrays", "give those of NumPy")
        _check_filled(rgb, alpha)
        if rgb.dtype not in (np.uint8, np.uint16) or rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.size == 0:
            what = f"pixels of {rgb.dtype} and shape {rgb.shape} are no picture"
            raise ImageError(what, "give uint8 or uint16 of shape (H, W, 3)")
        if alpha is not None and (alpha.dtype, alpha.shape) != (rgb.dtype, rgb.shape[:2]):
            what = f"alpha of {alpha.dtype} and shape {alpha.shape} does not fit the pixels"
            raise ImageError(what, f"give {rgb.dtype} of shape {rgb.shape[:2]}")

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]

    @property
    def bit_depth(self) -> int:
        """Bits a channel: 8 or 16."""
        return 8 * self.rgb.itemsize

    @property
    def max_value(self) -> int:
        """The value of white: 255 or 65535."""
        return 2**self.bit_depth - 1

    @property
    def channels(self) -> np.ndarray:
        """(H, W, C): one channel of gray or three of RGB, and one more for transparency."""
        colour = self.rgb[..., :1] if self.gray else self.rgb
        return np.ascontiguousarray(colour if self.alpha is None else np.dstack([colour, self.alpha]))

    def in_eight_bits(self) -> "Picture":
        """The picture with 8 bits a channel: itself, or with each of the 16-bit values rounded to the nearest."""
        if self.bit_depth == 8:
            return self
        return replace(self, rgb=_rounded(self.rgb), alpha=None if self.alpha is None else _rounded(self.alpha))

    def to_pil(self) -> Image.Image:
        """A Pillow image of mode L, LA, RGB or RGBA, with the colour profile in its `info`.

        It has 8 bits a channel, for Pillow has no mode for colour of 16.
        """
        picture = self.in_eight_bits()
        image = Image.fromarray(picture.rgb)
        if self.gray:
            image = image.convert("L")
        if picture.alpha is not None:
            image.putalpha(Image.fromarray(picture.alpha))
        if self.metadata.icc_profile:
            image.info["icc_profile"] = self.metadata.icc_profile
        return image


def from_array(array: np.ndarray) -> Picture:
    """A picture from uint8 or uint16 of shape (H, W), (H, W, 1) or (H, W, 3), with one channel more for alpha.

    Raises:
        ImageError: the array is of another type or shape.
    """
    _check_filled(array)
    array = np.asarray(array)  # a matrix stays two-dimensional, whatever shape it is given
    shape = array.shape if array.ndim == 3 else (*array.shape, 1)
    if array.dtype not in (np.uint8, np.uint16) or len(shape) != 3 or not 1 <= shape[2] <= 4 or 0 in shape:
        what = f"an array of {array.dtype} and shape {array.shape} is no picture"
        raise ImageError(what, "give uint8 or uint16 of shape (H, W), (H, W, 3) or (H, W, 4)")
    array = array.reshape(shape)
    gray, has_alpha = shape[2] < 3, shape[2] in (2, 4)
    alpha = np.ascontiguousarray(array[..., -1]) if has_alpha else None
    rgb = np.repeat(array[..., :1], 3, axis=2) if gray else np.ascontiguousarray(array[..., :3])
    return Picture(rgb, alpha, gray)


def to_tensor(*images: np.ndarray, device: "str | torch.device" = "cpu") -> "torch.Tensor":
    """Convert images (H, W, 3), all of one size and type, uint8 or uint16, to a batch (B, 3, H, W) in [0, 1].

    Raises:
        ValueError: the sizes or types differ.
    """
    import torch  # not at the top, because `ttsr upscale --help` imports this module

    if len({image.dtype for image in images}) != 1:
        raise ValueError("images of different types cannot share a batch")
    pixels = np.stack(images)
    largest = np.iinfo(pixels.dtype).max
    if pixels.dtype == np.uint16:  # which PyTorch does not support on all devices
        pixels = pixels.astype(np.int32)
    return torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float().div_(largest)


def to_integer_tensor(image: np.ndarray, device: "str | torch.device" = "cpu") -> "torch.Tensor":
    """Convert an image (H, W, 3) to (1, 3, H, W) integers, which the network converts to floats part by part."""
    import torch

    if image.dtype == np.uint16 and torch.device(device).type == "mps":  # which has no such type
        return to_tensor(image, device=device)
    return torch.from_numpy(np.require(image, requirements=["C", "W"])).to(device).permute(2, 0, 1)[None]


def to_pixels(image: "torch.Tensor", bit_depth: int, *, gray: bool = False) -> np.ndarray:
    """Convert an image (3, H, W) to (H, W, 3) uint8 or uint16, by its bits a channel.

    Floats are 0 for black and 1 for white; integers are rounded to these bits already.

    With `gray` the channels become equal: the luma (ITU-R BT.601) of the rounded values.
    """
    import torch

    largest = 2**bit_depth - 1
    if image.is_floating_point():
        image = image.float().mul(largest).round_().clamp_(0, largest)
        # PyTorch does not support uint16 on all devices.
        image = image.to(torch.uint8 if bit_depth == 8 else torch.int32)
    pixels = image.permute(1, 2, 0).cpu().numpy()
    pixels = np.ascontiguousarray(pixels, dtype=np.uint8 if bit_depth == 8 else np.uint16)
    if gray:
        red, green, blue = np.moveaxis(pixels.astype(np.uint32), -1, 0)
        luma = (19595 * red + 38470 * green + 7471 * blue + 2**15) >> 16  # as Pillow weights them
        pixels = np.repeat(luma.astype(pixels.dtype)[..., None], 3, axis=2)
    return pixels


def _rounded(values: np.ndarray) -> np.ndarray:
    """16 bits to 8, to the nearest."""
    return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def _check_filled(*arrays: np.ndarray | None) -> None:
    if any(isinstance(array, np.ma.MaskedArray) for array in arrays):
        raise ImageError("a masked array lacks some of its pixels", "fill them, or give the mask as alpha")
