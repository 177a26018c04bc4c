"""Picture files that cannot be read, or not without taking far too much, and what is to be said of them."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import imagecodecs
import numpy as np
from odd_pictures import DEEP, SMOOTH
from picture_parts import chunk, directory, encoded, gray_tags, header, png, tiff, with_frame_size
from PIL import Image

_DAMAGED = r"damaged|not a picture"
_BOMB = "decompression bomb"
_MIB = 2**20


@dataclass(frozen=True)
class Bad:
    """A file, and a regular expression of what is wrong with it; None where some decoders give its pixels."""

    name: str
    data: bytes
    message: str | None


def whole_pictures() -> dict[str, bytes]:
    """A good file of each format, of which parts can be taken away."""
    image = Image.fromarray(np.tile(SMOOTH, (4, 4, 1)) ^ np.random.default_rng(1).integers(0, 8, (64, 96, 3), np.uint8))
    deep = np.tile(DEEP, (4, 4, 1))
    tiffs = {f"{how}.tiff": encoded(image, "TIFF", compression=how) for how in ("raw", "tiff_lzw", "jpeg", "packbits")}
    deep_tiffs = {
        f"deep.{how}.tiff": tiff(deep, photometric="rgb", compression=how, rowsperstrip=8)
        for how in ("none", "lzw", "deflate", "packbits", "lzma", "zstd")
    }
    return {
        "png": encoded(image, "PNG"),
        "interlaced.png": png(np.array(image), interlaced=True),
        "deep.png": png(deep),
        "jpg": encoded(image, "JPEG", quality=95),
        "progressive.jpg": encoded(image, "JPEG", quality=95, progressive=True),
        "webp": encoded(image, "WEBP"),
        "lossless.webp": encoded(image, "WEBP", lossless=True),
        "gif": encoded(image.quantize(), "GIF"),
        "bmp": encoded(image, "BMP"),
        "ppm": encoded(image, "PPM"),
        "jp2": encoded(image, "JPEG2000"),
        "avif": encoded(image, "AVIF", quality=90),
        **tiffs,
        **deep_tiffs,
    }


def cuts(data: bytes) -> dict[str, int]:
    """Lengths at which a file of any format may end: in its signature, header, first pixels, last pixels and end."""
    size = len(data)
    shares = {f"{percent}%": size * percent // 100 for percent in (10, 25, 50, 75, 90, 98)}
    return {"1 byte": 1, "4 bytes": 4, "12 bytes": 12, "30 bytes": 30, **shares, "all but 1": size - 1}


def bad_pictures() -> Iterator[Bad]:
    """All but those that are cut off; names are unique, and end in what the file is, or pretends to be."""
    yield from _no_pictures()
    yield from _bombs()
    yield from _damaged_pngs()
    yield from _damaged_tiffs()
    yield from _without_range()


def _no_pictures() -> Iterator[Bad]:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    vrt = b'<VRTDataset rasterXSize="8" rasterYSize="8"><SourceFilename>/etc/passwd</SourceFilename></VRTDataset>'
    others = {
        "svg": svg,
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(/tmp/x) (w) file\n%%EOF\n",
        "pdf": b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\n",
        "vrt": vrt,
        "psd": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 4, 4, 8, 3) + bytes(99),
        "ico": b"\0\0\1\0\1\0" + bytes(99),
        "jxl": imagecodecs.jpegxl_encode(SMOOTH),
        "zip": b"PK\3\4" + bytes(99),
        "text": b"not a picture at all",
        "zeros": bytes(9999),
        "noise": np.random.default_rng(3).bytes(9999),
        "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99),
        "pfm": b"PF\n1 1\n-1.0\n" + bytes(12),
    }
    for name, data in others.items():
        for suffix in ("png", "tif"):
            yield Bad(f"{name}.{suffix}", data, "not a picture")
    yield Bad("empty.png", b"", "empty")


def _bombs() -> Iterator[Bad]:
    small = Image.fromarray(SMOOTH)
    size = struct.pack("<HH", 65500, 65500)
    yield Bad("bomb.png", header(65500, 65500) + chunk(b"IDAT", zlib.compress(bytes(9))), _BOMB)
    yield Bad("bomb.deep.png", header(65500, 65500, 16) + chunk(b"IDAT", zlib.compress(bytes(9))), _BOMB)
    yield Bad("bomb.jpg", with_frame_size(encoded(small, "JPEG"), 65500, 65500), _BOMB)
    yield Bad("bomb.progressive.jpg", with_frame_size(encoded(small, "JPEG", progressive=True), 65500, 65500), _BOMB)
    gif = encoded(small.quantize(), "GIF")
    yield Bad("bomb.gif", gif[:6] + size + gif[10:], _BOMB)
    place = gif.index(b",") + 5
    yield Bad("bomb.frame.gif", gif[:place] + size + gif[place + 4 :], _BOMB)
    bmp = encoded(small, "BMP")
    yield Bad("bomb.bmp", bmp[:18] + struct.pack("<II", 65500, 65500) + bmp[26:], _BOMB)
    for kind in (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6"):
        yield Bad(f"bomb.{kind.decode()}.ppm", kind + b" 65500 65500 255 \n" + b"1 " * 99, _BOMB)
    jp2 = encoded(small, "JPEG2000", no_jp2=True)
    yield Bad("bomb.jp2", jp2[:8] + struct.pack(">II", 65500, 65500) + jp2[16:], _BOMB)
    webp = encoded(small.convert("RGBA"), "WEBP", exif=b"Exif\0\0" + directory([]))
    place = webp.index(b"VP8X") + 12
    yield Bad("bomb.webp", webp[:place] + b"\xfe\x3f\0\xfe\x3f\0" + webp[place + 6 :], f"{_BOMB}|not a picture")
    for depth in (8, 16):
        yield Bad(f"bomb{depth}.tiff", directory(gray_tags(65500, 65500, depth)), _BOMB)
    deep = tiff(DEEP[..., 0], photometric="minisblack", tile=(16, 16), compression="deflate")
    for tag in (322, 323):  # the width and height of its tiles
        deep = deep.replace(struct.pack("<HHII", tag, 4, 1, 16), struct.pack("<HHII", tag, 4, 1, 65520))
    yield Bad("bomb.tile.tiff", deep, _BOMB)
    yield Bad("text.ppm", b"P3 4000 4000 255\n" + b"1 " * 9999, "a large picture as text")


def _damaged_pngs() -> Iterator[Bad]:
    good = png(SMOOTH)
    yield Bad("no-pixels.png", header(24, 16) + chunk(b"IEND", b""), _DAMAGED)
    yield Bad("no-header.png", good[:8] + good[33:], _DAMAGED)
    yield Bad("two-headers.png", good[:33] + good[8:], None)
    yield Bad("wrong-header-checksum.png", good[:29] + b"????" + good[33:], _DAMAGED)
    yield Bad("size0.png", header(0, 16) + good[33:], _DAMAGED)
    yield Bad("depth7.png", header(24, 16, depth=7) + good[33:], _DAMAGED)
    yield Bad("colour9.png", header(24, 16, colour_type=9) + good[33:], _DAMAGED)
    yield Bad("no-palette.png", header(24, 16, colour_type=3) + good[33:], None)
    yield Bad("long-chunk.png", good[:33] + struct.pack(">I", 2**31 - 1) + b"IDAT" + good[41:], None)
    yield Bad("longest-chunk.png", good[:33] + struct.pack(">I", 2**32 - 1) + b"tEXt" + good[41:], _DAMAGED)
    for interlaced in (False, True):
        few = png(SMOOTH, interlaced=interlaced)[33:]
        for depth, rows in ((8, few), (16, png(DEEP[..., :3], interlaced=interlaced)[33:])):
            name = f"few-rows{depth}{'.interlaced' * interlaced}.png"
            yield Bad(name, header(24, 17, depth, interlaced=interlaced) + rows, _DAMAGED)
    wrong = bytearray(png(SMOOTH, level=0))
    wrong[100] ^= 1
    yield Bad("wrong-pixel.png", bytes(wrong), _DAMAGED)
    yield Bad("wrong-deep-checksum.png", png(DEEP, wrong=1), _DAMAGED)
    yield Bad("no-deep-pixels.png", header(9, 9, 16) + chunk(b"IEND", b""), _DAMAGED)
    # Texts and profiles of 64 MiB in 64 KiB; without them the pixels are good.
    zeros = zlib.compress(bytes(64 * _MIB), 9)
    for name, data in {
        b"zTXt": b"a\0\0" + zeros,
        b"iTXt": b"a\0\1\0\0\0" + zeros,
        b"iCCP": b"a\0\0" + zeros,
    }.items():
        for values, kind in ((SMOOTH, "png"), (DEEP, "deep.png")):
            yield Bad(f"much-{name.decode()}.{kind}", png(values, chunk(name, data)), None)
    yield Bad("many-texts.png", png(SMOOTH, *[chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(_MIB)))] * 99), None)
    # What a decoder passes over one by one.
    yield Bad("many-chunks.png", png(SMOOTH, *[chunk(b"abCd", b"")] * 150_000), "too many small parts")
    yield Bad("comment.ppm", b"P6 #" + b"?" * 400_000, "too many small parts")
    yield Bad("before-the-header.jpg", b"\xff\xd8\xff\xe0\0\2" + bytes(400_000), "too many small parts")
    yield Bad("before-the-frame.gif", b"GIF89a\4\0\4\0\0\0\0" + bytes(400_000), "too many small parts")


def _damaged_tiffs() -> Iterator[Bad]:
    tags = gray_tags()
    yield Bad("no-tags.tiff", directory([]), _DAMAGED)
    yield Bad("loop.tiff", directory(tags, bytes(16), following=8), None)
    yield Bad("far.tiff", b"II*\0\xff\xff\xff\x7f", _DAMAGED)
    for depth in (8, 16):
        for name, change in {
            "width0": {"width": 0},
            "rows0": {"rows": 0},
            "far-pixels": {"offset": 2**31},
            "long-pixels": {"length": 2**31},
            "samples0": {"samples": 0},
            "samples9": {"samples": 9},
            "compression999": {"compression": 999},
            "photometric999": {"photometric": 999},
            "not-deflate": {"compression": 8},
            "not-lzw": {"compression": 5},
        }.items():
            yield Bad(f"{name}.{depth}.tiff", directory(gray_tags(4, 4, depth, **change), b"\x55" * 32), None)
        many = [(1000 + number, 1, 4 * _MIB, 16) for number in range(100)]
        yield Bad(f"overlapping-tags.{depth}.tiff", directory([*gray_tags(4, 4, depth), *many], bytes(4 * _MIB)), None)
        strips = [tag if tag[0] not in (273, 279) else (tag[0], 4, _MIB, 16) for tag in gray_tags(4, 4, depth)]
        yield Bad(f"many-strips.{depth}.tiff", directory(strips, bytes(4 * _MIB + 64)), None)
    for how in ("jpeg2000", "jpegxl", "jpegxr", "lerc", "png"):
        yield Bad(f"{how}.tiff", tiff(DEEP[..., :3], photometric="rgb", compression=how), "compression")


def _without_range() -> Iterator[Bad]:
    for kind in ("f2", "f4", "f8", "i1"):
        yield Bad(f"gray-{kind}.tiff", tiff(SMOOTH[..., 0].astype(kind), photometric="minisblack"), "no fixed range")
    for kind in ("f2", "f4", "f8"):
        yield Bad(f"rgb-{kind}.tiff", tiff(SMOOTH.astype(kind), photometric="rgb"), "no fixed range")
    for kind in ("i2", "i4", "u4"):
        value = np.full((4, 4), -5 if kind[0] == "i" else 70000).astype(kind)
        yield Bad(f"gray-{kind}.tiff", tiff(value, photometric="minisblack"), "no fixed range")
        yield Bad(f"rgb-{kind}.tiff", tiff(np.dstack([value] * 3), photometric="rgb"), _DAMAGED)
    yield Bad("complex.tiff", tiff(SMOOTH[..., 0].astype("c8"), photometric="minisblack"), _DAMAGED)
