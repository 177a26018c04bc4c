"""What the rest of the package means by a picture."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ttsr.errors import ImageError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Metadata:
    """What is kept beside the pixels, without what described their old size and orientation.

    Attributes:
        icc_profile: the colour profile, as stored in files.
        exif: a TIFF directory after EXIF's header; empty for none.
        xmp: an XMP packet; empty for none.
        dpi: horizontal and vertical resolution.
        text: PNG's text chunks; the comment of a JPEG or GIF as "Comment".
    """

    icc_profile: bytes | None = None
    exif: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    text: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Picture:
    """Pixels in upright orientation, with 8 or 16 bits a channel (so far reading gives 8).

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

    def to_pil(self) -> Image.Image:
        """A Pillow image of mode L, LA, RGB or RGBA, with the colour profile in its `info`.

        Raises:
            ImageError: it has 16 bits, for which Pillow has no colour mode.
        """
        if self.bit_depth != 8:
            raise ImageError("pictures of 16 bits a channel cannot be written", "reduce them to 8 bits first")
        image = Image.fromarray(self.rgb)
        if self.gray:
            image = image.convert("L")
        if self.alpha is not None:
            image.putalpha(Image.fromarray(self.alpha))
        if self.metadata.icc_profile:
            image.info["icc_profile"] = self.metadata.icc_profile
        return image


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
