"""Pictures of 16 bits a channel to PNG files, which Pillow cannot write in colour."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ttsr.images.png_chunks import SIGNATURE, chunks, is_of_pixels


def write_deep_png(pixels: np.ndarray, path: Path, options: dict[str, Any]) -> None:
    """Write (H, W, C) uint16 of 1 to 4 channels, with what else Pillow would write of `options`."""
    import imagecodecs

    described = BytesIO()
    Image.new("L" if pixels.shape[2] < 3 else "RGB", (1, 1)).save(described, "PNG", **options)
    header, *data, end = chunks(BytesIO(imagecodecs.png_encode(pixels)), is_of_pixels)
    descriptions = chunks(BytesIO(described.getvalue()), lambda name: not is_of_pixels(name))
    with path.open("wb") as file:
        file.writelines([SIGNATURE, header, *descriptions, *data, end])
