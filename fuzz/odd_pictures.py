"""Picture files that are odd and right, with the pixels that reading them has to give."""

import base64
import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import tifffile
from picture_parts import chunk, directory, encoded, gray_tags, header, oriented, png, tiff, with_segments
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

_FRAMES = "several frames"
_REDUCED = "reduced to 8"
_LOSSY = 12  # of 255: the error of a smooth picture at high quality
# What jpegtran -arithmetic makes of SMOOTH at quality 98.
_ARITHMETIC = """
/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAEBAQEBAQEBAQEBAQEBAQIBAQEBAQIBAQECAgICAgICAgIDAwQDAwMDAwICAwQDAwQEBAQEAgMFBQQEBQQE
BAT/2wBDAQEBAQEBAQIBAQIEAwIDBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAT/yQARCAAQABgDAREAAhEB
AxEB/8wACgAQEAUBEBEF/9oADAMBAAIRAxEAPwD/APdhwHptQyP6hHC1IiTNPQuoe5Z7OBAd+p6xQba7+CDdZSudJ+U7Lzqs2nKLlaCWv5Z68wbtso1s
BepNmFsF9pyYVRnb4SmWq7GUOiyeqFzp0W9/cTCAOEmgnBl26bCmNmhhkI3aCPerw2Y0UpVcmaV6ua/p8BSWIPm2iSexKADS/9k="""


@dataclass(frozen=True)
class Odd:
    """A file, the (H, W, C) pixels it has to give, within how much, and a word of the notes, or none."""

    name: str
    data: bytes
    pixels: np.ndarray
    tolerance: int = 0
    note: str = ""


def _smooth() -> np.ndarray:
    y, x = np.mgrid[:16, :24]
    return np.stack([x * 10, y * 15, (x + y) * 6], axis=-1).astype(np.uint8)


def _noise(*shape: int, kind: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(7).integers(0, np.iinfo(kind).max + 1, shape, dtype=kind)


SMOOTH = _smooth()
DEEP = _noise(9, 13, 4, kind=np.uint16)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# Where a GeoTIFF lies: the size of its pixels, a corner, and its coordinate reference system.
PLACE = [
    (33550, 12, 3, (1.0, 1.0, 0.0), True),
    (33922, 12, 6, (0.0,) * 6, True),
    (34735, 3, 12, (1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 32633), True),
]
# How the pixels of an upright picture are stored for each EXIF orientation.
_STORED = {
    1: lambda v: v,
    2: lambda v: v[:, ::-1],
    3: lambda v: v[::-1, ::-1],
    4: lambda v: v[::-1],
    5: lambda v: v.swapaxes(0, 1),
    6: lambda v: np.rot90(v),
    7: lambda v: v[::-1, ::-1].swapaxes(0, 1),
    8: lambda v: np.rot90(v, -1),
}


def odd_pictures() -> Iterator[Odd]:
    """All of them; names are unique, and end in what the file is, or pretends to be."""
    yield from _sizes()
    yield from _channels()
    yield from _orientations()
    yield from _encodings()
    yield from _frames()
    yield from _descriptions()


def _sizes() -> Iterator[Odd]:
    for width, height in ((1, 1), (1, 7), (7, 1), (65500, 1), (1, 65500)):
        values = _noise(height, width, 3)
        image, shape = Image.fromarray(values), f"{width}x{height}"
        yield Odd(f"{shape}.png", png(values), values)
        yield Odd(f"{shape}.deep.png", png(values.astype(np.uint16) * 257), values.astype(np.uint16) * 257)
        for suffix in ("bmp", "ppm", "tiff"):
            yield Odd(f"{shape}.{suffix}", encoded(image, suffix.upper()), values)
        flat = np.full_like(values, (200, 100, 50))
        yield Odd(f"{shape}.jpg", encoded(Image.fromarray(flat), "JPEG", quality=95), flat, _LOSSY)
        yield Odd(f"{shape}.gif", encoded(Image.fromarray(flat), "GIF"), flat)
        if max(width, height) < 16384:
            yield Odd(f"{shape}.webp", encoded(image, "WEBP", lossless=True), values)
            yield Odd(f"{shape}.avif", encoded(Image.fromarray(flat), "AVIF", quality=95), flat, _LOSSY)
        yield Odd(f"{shape}.jp2", encoded(Image.fromarray(flat), "JPEG2000"), flat)


def _channels() -> Iterator[Odd]:
    for channels, mark in ((1, "gray"), (2, "gray+alpha"), (3, "rgb"), (4, "rgba")):
        deep, shallow = DEEP[..., :channels], (DEEP[..., :channels] >> 8).astype(np.uint8)
        for values in (deep, shallow):
            bits = 8 * values.itemsize
            extra = {"extrasamples": ["unassalpha"], "planarconfig": "contig"} if channels in (2, 4) else {}
            colour = "rgb" if channels > 2 else "minisblack"
            yield Odd(f"{mark}{bits}.png", png(values), values)
            yield Odd(f"{mark}{bits}.interlaced.png", png(values, interlaced=True), values)
            stored = values[..., 0] if channels == 1 else values
            for order in "<>":
                for how in ("none", "lzw", "deflate", "packbits") if values is deep else ("lzw",):
                    data = tiff(stored, photometric=colour, byteorder=order, compression=how, **extra)
                    yield Odd(f"{mark}{bits}.{how}.{'MI'[order == '<']}.tiff", data, values)
    gray = DEEP[..., 0]
    yield Odd("gray16.pgm", b"P5 13 9 65535\n" + gray.astype(">u2").tobytes(), gray[..., None])
    ppm = b"P6 13 9 65535\n" + DEEP[..., :3].astype(">u2").tobytes()
    yield Odd("rgb16.ppm", ppm, (DEEP[..., :3] >> 8).astype(np.uint8), 1, _REDUCED)
    cmyk = np.dstack([SMOOTH, np.zeros_like(SMOOTH[..., :1])])
    shown = 255 - SMOOTH
    yield Odd("cmyk.tiff", encoded(Image.fromarray(cmyk, "CMYK"), "TIFF"), shown, 1, "CMYK")
    jpeg = encoded(Image.fromarray(cmyk, "CMYK"), "JPEG", quality=98)
    yield Odd("cmyk.jpg", jpeg, shown, _LOSSY, "CMYK")
    yield Odd("cmyk16.tiff", tiff(cmyk.astype(np.uint16) * 257, photometric="separated"), shown, 1, _REDUCED)
    # Adobe's transform 2: the first three are YCbCr, and stored as complements. Without colour, Y is gray.
    luma = np.dstack([SMOOTH[..., :1], np.full((16, 24, 2), 127, np.uint8), np.zeros((16, 24, 1), np.uint8)])
    ycck = encoded(Image.fromarray(luma, "CMYK"), "JPEG", quality=98)
    place = ycck.index(b"Adobe") + 11
    ycck = ycck[:place] + b"\2" + ycck[place + 1 :]
    yield Odd("ycck.jpg", ycck, np.repeat(SMOOTH[..., :1], 3, axis=2), _LOSSY, "CMYK")
    palette = Image.fromarray(SMOOTH // 64 * 80).quantize(64)
    colours = np.array(palette.convert("RGB"))
    see_through = np.arange(256, dtype=np.uint8)
    alpha = see_through[np.array(palette)]
    data = encoded(palette, "PNG", transparency=see_through.tobytes())
    yield Odd("palette+alpha.png", data, np.dstack([colours, alpha]))
    hole = np.where(np.array(palette) == 3, 0, 255).astype(np.uint8)
    yield Odd("palette+key.gif", encoded(palette, "GIF", transparency=3), np.dstack([colours, hole]))
    bits = SMOOTH[..., 0] > 100
    yield Odd("bits.png", encoded(Image.fromarray(bits), "PNG"), bits[..., None].astype(np.uint8) * 255)
    yield Odd(
        "bits.group4.tiff",
        encoded(Image.fromarray(bits), "TIFF", compression="group4"),
        bits[..., None] * np.uint8(255),
    )


def _orientations() -> Iterator[Odd]:
    for orientation, turn in _STORED.items():
        stored = np.ascontiguousarray(turn(SMOOTH))
        image, exif = Image.fromarray(stored), b"Exif\0\0" + oriented(orientation)
        yield Odd(f"turned{orientation}.jpg", encoded(image, "JPEG", quality=98, exif=exif), SMOOTH, _LOSSY)
        yield Odd(f"turned{orientation}.webp", encoded(image, "WEBP", lossless=True, exif=exif), SMOOTH)
        yield Odd(f"turned{orientation}.avif", encoded(image, "AVIF", quality=98, exif=exif), SMOOTH, _LOSSY)
        yield Odd(f"turned{orientation}.png", png(stored, chunk(b"eXIf", oriented(orientation))), SMOOTH)
        deep, tag = stored.astype(np.uint16) * 257, [(274, 3, 1, orientation, True)]
        yield Odd(
            f"turned{orientation}.deep.png", png(deep, chunk(b"eXIf", oriented(orientation))), SMOOTH * np.uint16(257)
        )
        for values, name in ((stored, "lzw"), (deep, "deep")):
            data = tiff(values, photometric="rgb", compression="lzw", extratags=tag)
            yield Odd(
                f"turned{orientation}.{name}.tiff", data, SMOOTH.astype(values.dtype) * (257 if name == "deep" else 1)
            )


def _encodings() -> Iterator[Odd]:
    image = Image.fromarray(SMOOTH)
    yield Odd("progressive.jpg", encoded(image, "JPEG", quality=98, progressive=True), SMOOTH, _LOSSY)
    yield Odd("arithmetic.jpg", base64.b64decode(_ARITHMETIC), SMOOTH, _LOSSY)
    yield Odd("restarts.jpg", encoded(image, "JPEG", quality=98, restart_marker_blocks=1), SMOOTH, _LOSSY)
    yield Odd("bytes-behind.jpg", encoded(image, "JPEG", quality=98) + b"PK\3\4" * 999, SMOOTH, _LOSSY)
    yield Odd("a-png-in-truth.jpg", png(SMOOTH), SMOOTH)
    yield Odd("a-jpeg-in-truth.png", encoded(image, "JPEG", quality=98), SMOOTH, _LOSSY)
    yield Odd("a-tiff-in-truth.bmp", tiff(DEEP[..., :3], photometric="rgb"), DEEP[..., :3])
    yield Odd("wrong-checksum.png", png(SMOOTH, wrong=1), SMOOTH)
    yield Odd("bytes-behind.png", png(SMOOTH) + bytes(999), SMOOTH)
    yield Odd("cut-in-its-end.png", png(SMOOTH)[:-6], SMOOTH)
    yield Odd("stored.png", png(SMOOTH, level=0), SMOOTH)
    yield Odd("unknown-chunk.png", png(SMOOTH, chunk(b"abCd", b"?" * 99)), SMOOTH)
    yield Odd("top-down.bmp", _top_down(encoded(image, "BMP")), SMOOTH[::-1])
    text = b"P3 # a comment\n24 16 255\n" + b" ".join(b"%d" % value for value in SMOOTH.ravel())
    yield Odd("text.ppm", text, SMOOTH)
    for options in ({"tile": (16, 16)}, {"rowsperstrip": 1}, {"bigtiff": True}, {"planarconfig": "separate"}):
        values = np.moveaxis(DEEP[..., :3], -1, 0) if "planarconfig" in options else DEEP[..., :3]
        name = "-".join(options)
        yield Odd(
            f"{name}.tiff",
            tiff(np.ascontiguousarray(values), photometric="rgb", **options),
            DEEP[..., :3],
            note="BigTIFF" if name == "bigtiff" else "",
        )
    unmarked = directory(gray_tags(4, 4, 16, samples=2, length=64), DEEP[:4, :4, :2].astype("<u2").tobytes())
    yield Odd("unmarked-alpha.tiff", unmarked, DEEP[:4, :4, :2])
    negative = tiff(255 - SMOOTH[..., 0], photometric="miniswhite")
    yield Odd("negative.tiff", negative, SMOOTH[..., :1])


def _top_down(bmp: bytes) -> bytes:
    """A BMP with its rows in the other order, as its negative height says."""
    return bmp[:22] + struct.pack("<i", -struct.unpack_from("<i", bmp, 22)[0]) + bmp[26:]


def _frames() -> Iterator[Odd]:
    frames = [Image.fromarray(np.full((6, 8, 3), value, np.uint8)) for value in (10, 120, 240)]
    first = np.full((6, 8, 3), 10, np.uint8)
    many = {"save_all": True, "append_images": frames[1:]}
    yield Odd("moving.gif", encoded(frames[0], "GIF", **many), first[..., :1], note=_FRAMES)
    yield Odd("moving.webp", encoded(frames[0], "WEBP", lossless=True, **many), first, note=_FRAMES)
    yield Odd("moving.png", encoded(frames[0], "PNG", **many), first, note=_FRAMES)
    yield Odd("moving.avif", encoded(frames[0], "AVIF", quality=98, **many), first, _LOSSY, _FRAMES)
    yield Odd("pages.tiff", encoded(frames[0], "TIFF", **many), first, note=_FRAMES)
    yield Odd("parts.mpo.jpg", encoded(frames[0], "MPO", quality=98, **many), first, _LOSSY)
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for page in (DEEP[..., :3], DEEP[:4, :5, :3]):
            writer.write(page, photometric="rgb", metadata=None)
    yield Odd("deep-pages.tiff", file.getvalue(), DEEP[..., :3], note=_FRAMES)
    untold = header(24, 16) + chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)) + png(SMOOTH)[33:]
    yield Odd("two-billion-frames.png", untold, SMOOTH, note=_FRAMES)


def _descriptions() -> Iterator[Odd]:
    """Broken EXIF data, profiles and texts do not concern the pixels."""
    jpeg = encoded(Image.fromarray(SMOOTH), "JPEG", quality=98)
    loop = directory([(0x8769, 4, 1, 8), (0x8825, 4, 1, 8)], following=8)
    broken = {
        "noise": bytes(_noise(200)),
        "empty": b"",
        "cut": oriented(6)[:11],
        "loop": loop,
        "far": directory([(0x010F, 2, 2**31, 2**31)]),
        "orientation0": oriented(0),
        "orientation9": oriented(9),
        "orientation-text": oriented(0x363636, kind=2),
        "rational0": directory([(0x011A, 5, 1, 26), (0x011B, 5, 1, 26)], bytes(16)),
        "unknown-type": directory([(0x0112, 99, 1, 6)]),
        "many": directory([(0x9000 + number, 7, 60000, 8) for number in range(4000)]),
    }
    for name, exif in broken.items():
        yield Odd(f"exif-{name}.jpg", with_segments(jpeg, (0xE1, b"Exif\0\0" + exif)), SMOOTH, _LOSSY)
        yield Odd(f"exif-{name}.png", png(SMOOTH, chunk(b"eXIf", exif)), SMOOTH)
        yield Odd(f"exif-{name}.deep.png", png(DEEP, chunk(b"eXIf", exif)), DEEP)
    cmyk = SRGB[:16] + b"CMYK" + SRGB[20:]
    for name, profile in {"noise": bytes(_noise(200)), "short": SRGB[:20], "cmyk": cmyk}.items():
        yield Odd(f"profile-{name}.png", encoded(Image.fromarray(SMOOTH), "PNG", icc_profile=profile), SMOOTH)
        tags = [(34675, 7, len(profile), profile, True)]
        yield Odd(f"profile-{name}.tiff", tiff(DEEP, photometric="rgb", extratags=tags), DEEP)
        jpeg4 = encoded(Image.new("CMYK", (8, 8)), "JPEG", icc_profile=profile)
        yield Odd(f"profile-{name}.cmyk.jpg", jpeg4, np.full((8, 8, 3), 255, np.uint8), _LOSSY, "CMYK")
    number = tiff(DEEP, photometric="rgb", extratags=[(34675, 4, 3, (1, 2, 3), True), (700, 4, 2, (1, 2), True)])
    yield Odd("profile-of-numbers.tiff", number, DEEP)
    for values, name in ((SMOOTH, "8"), (DEEP[..., :3], "16")):
        tags = [*PLACE, (42113, 2, 0, "7", True)]
        yield Odd(f"place.{name}.tiff", tiff(values, photometric="rgb", extratags=tags), values)
    texts = PngInfo()
    texts.add_text("Comment", "\x1b[2J\n" * 99)
    yield Odd("escapes.png", encoded(Image.fromarray(SMOOTH), "PNG", pnginfo=texts), SMOOTH)
    yield Odd("resolution0.png", png(SMOOTH, chunk(b"pHYs", bytes(9))), SMOOTH)
