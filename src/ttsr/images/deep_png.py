"""Pictures of 16 bits a channel to PNG files, which Pillow cannot write in colour."""

import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXEL_CHUNKS = (b"IHDR", b"IDAT", b"IEND")


def write_deep_png(pixels: np.ndarray, path: Path, options: dict[str, Any]) -> None:
    """Write (H, W, C) uint16 of 1 to 4 channels, with what else Pillow would write of `options`."""
    import imagecodecs

    described = BytesIO()
    Image.new("L" if pixels.shape[2] < 3 else "RGB", (1, 1)).save(described, "PNG", **options)
    header, *data, end = (c for c in _chunks(bytes(imagecodecs.png_encode(pixels))) if c[4:8] in _PIXEL_CHUNKS)
    descriptions = (c for c in _chunks(described.getvalue()) if c[4:8] not in _PIXEL_CHUNKS)
    with path.open("wb") as file:
        file.writelines([_SIGNATURE, header, *descriptions, *data, end])


def _chunks(png: bytes) -> Iterator[bytes]:
    """The chunks of a PNG, each with its length, name and checksum."""
    start = len(_SIGNATURE)
    while start < len(png):
        end = start + 12 + struct.unpack_from(">I", png, start)[0]
        yield png[start:end]
        start = end
