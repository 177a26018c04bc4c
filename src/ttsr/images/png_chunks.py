"""The chunks of a PNG file."""

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from ttsr.errors import ImageError

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the colour type
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_PIECE = 2**20  # bytes to decompress at once


def is_of_pixels(name: bytes) -> bool:
    """Whether pixels are decoded from chunks of this name."""
    return name in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")


def chunks(file: BinaryIO, wanted: Callable[[bytes], bool]) -> Iterator[bytes]:
    """The wanted chunks of a PNG up to its end, each with its length, name and checksum; others are not read.

    Raises:
        ImageError: the file ends within one.
    """
    end = file.seek(0, 2)
    place, name = len(SIGNATURE), b""
    while place < end and name != b"IEND":
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            raise ImageError("damaged or cut off")
        length, name = struct.unpack(">I4s", head)
        place += length + 12
        if wanted(name):
            if place > end:
                raise ImageError("damaged or cut off")
            yield head + file.read(length + 4)


def check_rows(file: BinaryIO) -> None:
    """Check that the pixels of a PNG are all there, which takes their decompression.

    Raises:
        ImageError: they are fewer than its header says.
    """
    header, *parts = chunks(file, lambda name: name in (b"IHDR", b"IDAT"))
    width, height, depth, colour_type, *_, interlaced = struct.unpack(">IIBBBBB", header[8:21])
    bits = depth * _CHANNELS.get(colour_type, 1)
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    sides = [(-(-max(width - x, 0) // across), -(-max(height - y, 0) // down)) for x, y, across, down in passes]
    missing = sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in sides if columns)
    stream = zlib.decompressobj()
    for part in parts:
        data = part[8:-4]
        while missing > 0 and data:
            missing -= len(stream.decompress(data, _PIECE))
            data = stream.unconsumed_tail
    if missing > 0:
        raise ImageError("damaged or cut off (its last rows are missing)")
