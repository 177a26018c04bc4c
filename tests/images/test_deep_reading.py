"""Pictures of 16 bits a channel, read with all of them."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from ttsr.errors import ImageError
from ttsr.images.deep_reading import tiff_size
from ttsr.images.reading import decode_picture, read_picture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def deep_png(values: np.ndarray, color_type: int, key: np.ndarray | None = None) -> bytes:
    """A 16-bit PNG, which Pillow cannot write in colour. `key` is the pixel that is transparent."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    transparent = b"" if key is None else chunk(b"tRNS", np.asarray(key, dtype=">u2").tobytes())
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + transparent
    return head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 65536, shape, dtype=np.uint16)


def tiff(values: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, values, metadata=None, **options)
    return file.getvalue()


@pytest.mark.parametrize(("color_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_png_and_arrays_keep_every_value(tmp_path: Path, color_type: int, channels: int) -> None:
    values = noise(5, 7, channels)
    path = tmp_path / "deep.png"
    path.write_bytes(deep_png(values, color_type))
    for source in (path, values):
        picture = read_picture(source)
        assert (picture.notes, picture.bit_depth, picture.gray) == ((), 16, channels < 3)
        assert (picture.alpha is not None) == (channels in (2, 4))
        np.testing.assert_array_equal(picture.channels, values)


@pytest.mark.parametrize(("color_type", "channels"), [(0, 1), (2, 3)])
def test_a_transparent_color_is_that_of_all_bits(color_type: int, channels: int) -> None:
    values = noise(5, 7, channels)
    values[1, 2] = values[4, 4]
    values[0, 0] = values[4, 4] ^ 1  # the same in 8 bits
    picture = decode_picture(deep_png(values, color_type, key=values[4, 4]), "key.png")
    assert picture.alpha is not None
    np.testing.assert_array_equal(np.argwhere(picture.alpha == 0), [(1, 2), (4, 4)])
    assert set(picture.alpha.flat) == {0, 65535}
    np.testing.assert_array_equal(picture.channels[..., :-1], values)


def test_a_transparent_colour_of_an_image_that_pillow_has_opened() -> None:
    values = noise(5, 7, 3)
    values[1, 2] = values[4, 4]
    picture = read_picture(Image.open(io.BytesIO(deep_png(values, 2, key=values[4, 4]))))
    assert picture.alpha is not None
    np.testing.assert_array_equal(np.argwhere(picture.alpha == 0), [(1, 2), (4, 4)])


def test_gray_of_a_pillow_image_and_a_pgm(tmp_path: Path) -> None:
    values = noise(4, 6)
    image = Image.fromarray(values)
    image.save(tmp_path / "gray.pgm")
    for source in (image, tmp_path / "gray.pgm"):
        picture = read_picture(source)
        assert (picture.gray, picture.bit_depth, picture.notes) == (True, 16, ())
        np.testing.assert_array_equal(picture.rgb[..., 1], values)


def test_colour_that_pillow_has_opened_says_that_it_was_cut(tmp_path: Path) -> None:
    (tmp_path / "deep.png").write_bytes(deep_png(noise(4, 6, 3), 2))
    picture = read_picture(Image.open(tmp_path / "deep.png"))
    assert picture.bit_depth == 8
    assert picture.notes == ("it holds more than 8 bits a channel and was reduced to 8",)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "lzw"},
        {"compression": "zlib", "predictor": True},
        {"byteorder": ">"},
        {"byteorder": ">", "compression": "lzw", "predictor": True},
        {"tile": (16, 16), "compression": "zlib"},
        {"planarconfig": "separate", "compression": "lzw"},
        {"bigtiff": True},
        {"rowsperstrip": 3},
    ],
    ids=str,
)
def test_tiffs_of_every_layout(options: dict[str, Any]) -> None:
    values = noise(20, 18, 3)
    planes = np.moveaxis(values, -1, 0) if options.get("planarconfig") == "separate" else values
    picture = decode_picture(tiff(planes, photometric="rgb", **options), "deep.tiff")
    assert (picture.bit_depth, picture.gray, picture.alpha) == (16, False, None)
    assert picture.notes == (("it is a BigTIFF, whose EXIF data was left out",) if options.get("bigtiff") else ())
    np.testing.assert_array_equal(picture.rgb, values)


@pytest.mark.parametrize("channels", [1, 2])
def test_gray_tiffs(channels: int) -> None:
    values = noise(5, 7, channels)
    extra = {"extrasamples": ["unassalpha"], "planarconfig": "contig"} if channels == 2 else {}
    picture = decode_picture(tiff(np.squeeze(values), photometric="minisblack", **extra), "gray.tiff")
    assert picture.gray and picture.bit_depth == 16
    np.testing.assert_array_equal(picture.channels, values)
    negative = decode_picture(tiff(values[..., 0], photometric="miniswhite"), "negative.tiff")
    np.testing.assert_array_equal(negative.rgb[..., 2], 65535 - values[..., 0])


def test_alpha_of_tiffs() -> None:
    values = noise(5, 7, 4)
    for marks in ({"extrasamples": ["unassalpha"]}, {"extrasamples": ["unspecified"]}):
        picture = decode_picture(tiff(values, photometric="rgb", **marks), "alpha.tiff")
        np.testing.assert_array_equal(picture.rgb, values[..., :3])
        assert (picture.alpha is None) == (marks["extrasamples"] == ["unspecified"])


def test_colours_that_were_multiplied_by_alpha() -> None:
    colour, alpha = noise(5, 7, 3), np.maximum(noise(5, 7, 1), 3000)
    alpha[0, 0] = 0
    stored = (colour.astype(np.uint64) * alpha // 65535).astype(np.uint16)
    data = tiff(np.dstack([stored, alpha]), photometric="rgb", extrasamples=["assocalpha"])
    picture = decode_picture(data, "associated.tiff")
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, alpha[..., 0])
    np.testing.assert_allclose(picture.rgb[1:].astype(int), colour[1:], atol=65535 / 3000 + 1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_orientation_is_that_of_eight_bits(tmp_path: Path, suffix: str, orientation: int) -> None:
    values = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(values).save(tmp_path / "shallow.png", exif=exif)
    upright = read_picture(tmp_path / "shallow.png").rgb.astype(np.uint16) * 257
    deep = values.astype(np.uint16) * 257
    if suffix == "png":
        body = exif.tobytes()[6:]
        chunk = struct.pack(">I", len(body)) + b"eXIf" + body + struct.pack(">I", zlib.crc32(b"eXIf" + body))
        data = deep_png(deep, 2)
        data = data[:33] + chunk + data[33:]
    else:
        data = tiff(deep, photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
    picture = decode_picture(data, "rotated")
    np.testing.assert_array_equal(picture.rgb, upright)
    assert b"\x12\x01" not in picture.metadata.exif[:30]


def test_what_a_png_holds_beside_its_pixels(tmp_path: Path) -> None:
    texts = PngInfo()
    texts.add_itxt("Title", "Brücke")
    described = io.BytesIO()
    Image.new("RGB", (1, 1)).save(described, "PNG", icc_profile=SRGB, dpi=(300, 300), pnginfo=texts)
    extra = described.getvalue()[33:].split(b"IDAT")[0][:-4]
    data = deep_png(noise(4, 4, 3), 2)
    metadata = decode_picture(data[:33] + extra + data[33:], "described.png").metadata
    assert metadata.icc_profile == SRGB
    assert metadata.dpi == pytest.approx((300, 300), abs=0.1)
    assert metadata.text == {"Title": "Brücke"}


def test_what_a_tiff_holds_beside_its_pixels() -> None:
    data = tiff(
        noise(4, 4, 3),
        photometric="rgb",
        iccprofile=SRGB,
        resolution=(100, 120),
        resolutionunit="centimeter",
        description="a bridge",
        extratags=[(700, 1, 14, b"<x:xmpmeta/>  ", True), (271, 2, 0, "Maker", True)],
        software="scanner",
    )
    picture = decode_picture(data, "scan.tiff")
    assert picture.metadata.icc_profile == SRGB
    assert picture.metadata.dpi == pytest.approx((254, 304.8))
    assert picture.metadata.xmp.startswith(b"<x:xmpmeta/>")
    kept = Image.Exif()
    kept.load(picture.metadata.exif)
    assert (kept[270], kept[271], kept[305]) == ("a bridge", "Maker", "scanner")


def test_a_resolution_is_a_fraction() -> None:
    data = tiff(noise(4, 4, 3), photometric="rgb", resolution=((3001, 10), (2403, 16)), resolutionunit="inch")
    assert decode_picture(data, "scan.tiff").metadata.dpi == pytest.approx((300.1, 150.1875))


def test_the_first_page_is_used() -> None:
    values = noise(2, 8, 9, 3)
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for page in values:
            writer.write(page, photometric="rgb", metadata=None)
    picture = decode_picture(file.getvalue(), "pages.tiff")
    assert picture.notes == ("it has several frames, of which the first was used",)
    np.testing.assert_array_equal(picture.rgb, values[0])


def test_twelve_bits_fill_the_range() -> None:
    """Two values in three bytes, the first bits first."""
    values = np.array([[0, 4095], [2048, 1]], dtype=np.uint16)
    rows = b"".join(struct.pack(">I", (int(a) << 12 | int(b)) << 8)[:3] for a, b in values)
    tags = [(256, 3, 2), (257, 3, 2), (258, 3, 12), (259, 3, 1), (262, 3, 1), (273, 4, 122), (277, 3, 1), (278, 3, 2)]
    tags.append((279, 4, len(rows)))
    directory = b"".join(
        struct.pack(">HHI", tag, kind, 1) + (struct.pack(">HH", value, 0) if kind == 3 else struct.pack(">I", value))
        for tag, kind, value in tags
    )
    data = b"MM\0*" + struct.pack(">IH", 8, len(tags)) + directory + bytes(4)
    picture = decode_picture(data.ljust(122, b"\0") + rows, "twelve.tiff")
    np.testing.assert_array_equal(picture.rgb[..., 0], np.round(values * (65535 / 4095)))


@pytest.mark.parametrize("kind", [np.float32, np.float16, np.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_floats_are_refused(kind: type, channels: int) -> None:
    values = np.zeros((4, 4, 3), kind) if channels == 3 else np.zeros((4, 4), kind)
    data = tiff(values, photometric="rgb" if channels == 3 else "minisblack")
    with pytest.raises(ImageError, match=r"float\.tiff: float pixels have no fixed range"):
        decode_picture(data, "float.tiff")


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for data in (tiff(noise(20, 20, 3), photometric="rgb"), deep_png(noise(20, 20, 3), 2)):
        with pytest.raises(ImageError, match="decompression bomb"):
            decode_picture(data, "bomb")


@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_files_that_were_cut_off(compression: str | None, kept: float, capfd: pytest.CaptureFixture[str]) -> None:
    options: dict[str, Any] = {"compression": compression, "rowsperstrip": 8}
    for data in (tiff(noise(64, 64, 3), photometric="rgb", **options), deep_png(noise(64, 64, 3), 2)):
        with pytest.raises(ImageError, match="deep: damaged or cut off"):
            decode_picture(data[: int(kept * len(data))], "deep")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("compression", ["lzw", "zlib"])
def test_damaged_pixels(compression: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(tiff(noise(64, 64, 3), photometric="rgb", compression=compression))
    data[len(data) // 2 : -200 : 7] = bytes(len(range(len(data) // 2, len(data) - 200, 7)))
    with pytest.raises(ImageError, match="deep: damaged or cut off"):
        decode_picture(bytes(data), "deep")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("tag", [b"\4\0\1\0\0\0\x2c\1\0\0", b"\2\0\3\0\0\0" + b"30\0\0"], ids=["number", "text"])
def test_a_resolution_that_is_no_fraction_is_none(tag: bytes) -> None:
    data = tiff(noise(8, 6, 3), photometric="rgb", resolution=(300, 300))
    at = data.index(b"\x1a\x01\x05\x00") + 2
    told = data[:at] + tag + data[at + len(tag) :]
    assert decode_picture(data, "scan.tiff").metadata.dpi == pytest.approx((300, 300))
    assert decode_picture(told, "scan.tiff").metadata.dpi is None


def test_a_tiff_of_nothing_has_no_size() -> None:
    assert tiff_size(io.BytesIO(b"II*\0\xff\xff\xff\x7f")) is None
    assert tiff_size(io.BytesIO(b"no TIFF at all")) is None
    assert tiff_size(io.BytesIO(tiff(noise(8, 6)))) == (6, 8)
