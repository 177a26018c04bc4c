"""PNGs whose pixels end too early are told from whole ones, to the byte."""

import io
import struct
import zlib

import numpy as np
import pytest
from picture_parts import chunk, encoded, png
from PIL import Image

from ttsr.errors import ImageError
from ttsr.images.png_chunks import check_rows


def without_the_last_byte(whole: bytes) -> bytes:
    """The same PNG without the last byte of its last row."""
    place = whole.index(b"IDAT") - 4
    (length,) = struct.unpack(">I", whole[place : place + 4])
    rows = zlib.decompress(whole[place + 8 : place + 8 + length])
    return whole[:place] + chunk(b"IDAT", zlib.compress(rows[:-1])) + whole[place + length + 12 :]


def assert_told_apart(whole: bytes) -> None:
    check_rows(io.BytesIO(whole))
    with pytest.raises(ImageError, match="its last rows are missing"):
        check_rows(io.BytesIO(without_the_last_byte(whole)))


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (5, 1), (2, 3), (3, 4), (9, 17)], ids=str)
def test_of_any_size(size: tuple[int, int], kind: type, interlaced: bool) -> None:
    for channels in (1, 2, 3, 4):
        assert_told_apart(png(np.ones((*size, channels), kind), interlaced=interlaced))


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("width", [1, 7, 8, 9])
def test_as_pillow_writes_them(mode: str, width: int) -> None:
    for bits in (1, 2, 4, 8) if mode == "P" else (8,):
        assert_told_apart(encoded(Image.new(mode, (width, 3)), "PNG", bits=bits))
