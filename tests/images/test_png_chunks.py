"""PNGs whose last rows are black, and those whose last rows are missing, which Pillow shows as black."""

import zlib
from itertools import product

import pytest
from picture_parts import ADAM7, chunk, header

from ttsr.errors import ImageError
from ttsr.images.reading import decode_picture

# Channels of each colour type, and the depths that it may have beside 16.
KINDS = {0: (1, (1, 2, 4, 8)), 2: (3, (8,)), 3: (1, (1, 2, 4, 8)), 4: (2, (8,)), 6: (4, (8,))}


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour_type", "depth"), [(kind, depth) for kind in KINDS for depth in KINDS[kind][1]])
def test_rows_are_counted_to_the_byte(colour_type: int, depth: int, interlaced: bool) -> None:
    palette = chunk(b"PLTE", bytes(3)) if colour_type == 3 else b""
    for width, height in product((1, 2, 3, 5, 9), (1, 2, 4, 5, 8)):
        pixels = b""
        for left, top, across, down in ADAM7 if interlaced else [(0, 0, 1, 1)]:
            columns = len(range(left, width, across))
            row = b"\0" + bytes((columns * depth * KINDS[colour_type][0] + 7) // 8)
            pixels += row * len(range(top, height, down)) if columns else b""
        start = header(width, height, depth, colour_type, interlaced) + palette
        whole, short = (start + chunk(b"IDAT", zlib.compress(data)) for data in (pixels, pixels[:-1]))
        assert decode_picture(whole + chunk(b"IEND", b""), "whole.png").size == (width, height)
        with pytest.raises(ImageError, match=r"short\.png: damaged or cut off"):
            decode_picture(short + chunk(b"IEND", b""), "short.png")
