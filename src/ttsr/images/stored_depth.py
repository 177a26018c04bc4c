"""Bits a channel of the formats that Pillow reduces to 8 without a word: JPEG 2000 and AVIF."""

import os
from typing import BinaryIO

_HEADER = 2**20  # bytes at the start, which hold it beside profiles and descriptions
_CODESTREAM = b"\xff\x4f\xff\x51"  # where that of a JPEG 2000 begins: markers SOC and SIZ
_FIRST_COMPONENT = 42  # bytes from there to what SIZ says of the first component, after their number
_AVIF_CODEC = b"av1C"
_HIGH_BIT_DEPTH = 0x40


def is_deeper_than_eight(file: BinaryIO, format_name: str | None) -> bool:
    """Whether a JPEG 2000 or AVIF says that it has more than 8 bits a channel; False of other formats.

    The file's position stays as it was.
    """
    if format_name not in ("JPEG2000", "AVIF"):
        return False
    position = file.seek(0, os.SEEK_CUR)
    file.seek(0)
    header = file.read(_HEADER)
    file.seek(position)
    if format_name == "AVIF":
        codec = header.find(_AVIF_CODEC)
        return codec >= 0 and any(byte & _HIGH_BIT_DEPTH for byte in header[codec + 6 : codec + 7])
    start = header.find(_CODESTREAM)
    if start < 0:
        return False
    first = start + _FIRST_COMPONENT
    count = int.from_bytes(header[first - 2 : first])
    # Each has three bytes: one less than its bits, after a sign, and its sampling.
    return any((byte & 0x7F) >= 8 for byte in header[first : first + 3 * count : 3])
