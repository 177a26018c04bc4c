"""Pieces of picture files that no encoder here writes: chunks, directories, passes, headers that lie."""

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import tifffile
from PIL import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by the number of channels
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def chunk(name: bytes, data: bytes, wrong: int = 0) -> bytes:
    """A chunk of a PNG; `wrong` is added to its checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", (zlib.crc32(name + data) + wrong) % 2**32)


def header(width: int, height: int, depth: int = 8, colour_type: int = 2, interlaced: bool = False) -> bytes:
    """The signature of a PNG and its IHDR."""
    return _SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced))


def png(values: np.ndarray, *before: bytes, interlaced: bool = False, wrong: int = 0, level: int = 6) -> bytes:
    """A PNG of (H, W, C) uint8 or uint16, with chunks before its pixels, and `wrong` added to their checksum."""
    height, width, channels = values.shape
    big = values.astype(values.dtype.newbyteorder(">"))
    parts = [big[y::down, x::across] for x, y, across, down in ADAM7] if interlaced else [big]
    rows = b"".join(b"\0" + row.tobytes() for part in parts if part.size for row in part)
    head = header(width, height, 8 * values.itemsize, _COLOUR_TYPES[channels], interlaced)
    return head + b"".join(before) + chunk(b"IDAT", zlib.compress(rows, level), wrong) + chunk(b"IEND", b"")


def tiff(values: np.ndarray, **options: Any) -> bytes:
    """A TIFF as tifffile writes it."""
    file = io.BytesIO()
    tifffile.imwrite(file, values, metadata=None, **options)
    return file.getvalue()


def encoded(image: Image.Image, format_name: str, **options: Any) -> bytes:
    """A file as Pillow writes it."""
    file = io.BytesIO()
    image.save(file, format_name, **options)
    return file.getvalue()


def directory(tags: Sequence[tuple[int, int, int, int]], body: bytes = b"", following: int = 0) -> bytes:
    """A TIFF of one directory with these tags (number, type, count, value or place), and a pointer to the next."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + struct.pack("<I", following) + body


def gray_tags(width: int = 4, height: int = 4, depth: int = 8, /, **changes: int) -> list[tuple[int, int, int, int]]:
    """The tags of a gray TIFF of one strip, whose pixels begin behind the directory; `changes` by name."""
    values = {
        "width": (256, 4, width),
        "height": (257, 4, height),
        "bits": (258, 3, depth),
        "compression": (259, 3, 1),
        "photometric": (262, 3, 1),
        "offset": (273, 4, 122),
        "samples": (277, 3, 1),
        "rows": (278, 4, height),
        "length": (279, 4, min(width * height * depth // 8, 2**31)),
    }
    return [(tag, kind, 1, changes.get(name, value)) for name, (tag, kind, value) in values.items()]


def with_segments(jpeg: bytes, *segments: tuple[int, bytes]) -> bytes:
    """A JPEG with these segments (marker, content) at its start."""
    added = b"".join(struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content for marker, content in segments)
    return jpeg[:2] + added + jpeg[2:]


def with_frame_size(jpeg: bytes, width: int, height: int) -> bytes:
    """A JPEG that says that it has another size."""
    place = next(place for marker in (b"\xff\xc0", b"\xff\xc2") if (place := jpeg.find(marker)) >= 0)
    return jpeg[: place + 5] + struct.pack(">HH", height, width) + jpeg[place + 9 :]


def oriented(orientation: int, kind: int = 3) -> bytes:
    """EXIF data with an orientation, of a type of TIFF."""
    return directory([(0x0112, kind, 1, orientation)])
