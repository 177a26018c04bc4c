"""What the rest of the package means by a picture."""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Metadata:
    """What travels with the pixels, less what described their old size and orientation."""

    icc_profile: bytes | None = None
    exif: bytes = b""  # a TIFF directory as EXIF stores it, after "Exif\0\0"
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    text: dict[str, str] = field(default_factory=dict)  # PNG's text chunks; a JPEG or GIF comment as "Comment"


@dataclass(frozen=True)
class Picture:
    """Pixels the right way up, 8 bit.

    Attributes:
        rgb: (H, W, 3) uint8. A gray picture has three equal channels.
        alpha: (H, W) uint8, or None for a picture without transparency.
        gray: the source was gray, and what is made of it should be too.
        metadata: colour profile, EXIF, XMP, resolution and texts.
        notes: one sentence for each thing that was changed in reading, for a person to know.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None = None
    gray: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]

    def to_pil(self) -> Image.Image:
        """A Pillow image of mode L, LA, RGB or RGBA, with the colour profile in its `info`."""
        image = Image.fromarray(self.rgb)
        if self.gray:
            image = image.convert("L")
        if self.alpha is not None:
            image.putalpha(Image.fromarray(self.alpha))
        if self.metadata.icc_profile:
            image.info["icc_profile"] = self.metadata.icc_profile
        return image
