"""The chunks of a PNG file."""

import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

from ttsr.errors import ImageError

SIGNATURE = b"\x89PNG\r\n\x1a\n"


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
