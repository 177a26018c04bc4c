import resource
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from PIL.ExifTags import IFD
from PIL.PngImagePlugin import PngInfo

from ttsr.errors import ImageError
from ttsr.images.formats import check_fits_format
from ttsr.images.picture import Metadata, Picture
from ttsr.images.reading import read_picture
from ttsr.images.writing import write_picture

GRAY = struct.pack(">I12x4s108x", 128, b"GRAY")  # the header of a colour profile, which is all that is looked at
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" exif:PixelXDimension="9" '
    b'dc:creator="me"><exif:PixelYDimension>6</exif:PixelYDimension></rdf:Description></x:xmpmeta>'
)


def camera_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0112] = 6
    exif[0x8298] = "someone's"
    exif.get_ifd(IFD.Exif).update({0xA002: 9, 0xA003: 6, 0x829A: 0.01})
    exif.get_ifd(IFD.GPSInfo).update({1: "N", 2: (48.0, 8.0, 0.0)})
    return exif


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("suffix", ["png", "tiff", "TIF"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_lossless_formats_keep_every_value(tmp_path: Path, suffix: str, channels: int) -> None:
    pixels = noise(5, 7, channels)
    path = tmp_path / f"out.{suffix}"
    assert write_picture(read_picture(pixels), path) == ()
    with Image.open(path) as image:
        assert image.mode == ("L", "LA", "RGB", "RGBA")[channels - 1]
        np.testing.assert_array_equal(np.array(image).reshape(pixels.shape), pixels)


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "webp"])
def test_lossy_formats_stay_close(tmp_path: Path, suffix: str) -> None:
    smooth = np.dstack([np.add.outer(np.arange(32), np.arange(40)).astype(np.uint8) * 3] * 3)
    write_picture(read_picture(smooth), tmp_path / f"out.{suffix}")
    back = read_picture(tmp_path / f"out.{suffix}").rgb
    assert np.abs(back.astype(int) - smooth).max() <= 6


def test_jpeg_lays_transparency_on_white(tmp_path: Path) -> None:
    picture = Picture(np.zeros((8, 8, 3), np.uint8), alpha=np.zeros((8, 8), np.uint8))
    notes = write_picture(picture, tmp_path / "out.jpg")
    assert "white" in notes[0]
    assert read_picture(tmp_path / "out.jpg").rgb.min() > 250
    assert write_picture(picture, tmp_path / "out.webp") == ()
    alpha = read_picture(tmp_path / "out.webp").alpha
    assert alpha is not None
    assert alpha.max() == 0


@pytest.mark.parametrize("source", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize("target", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize("gray", [False, True])
def test_profile_and_metadata_travel(tmp_path: Path, source: str, target: str, gray: bool) -> None:
    before, after = tmp_path / f"in.{source}", tmp_path / f"out.{target}"
    exif = camera_exif()
    options: dict[str, Any] = {"xmp": XMP}
    if source == "tiff":
        exif[700] = XMP
    elif source == "png":
        texts = PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
        options = {"pnginfo": texts}
    gray = gray and source != "webp"  # which has no gray pixels
    pixels, profile = (noise(6, 9), GRAY) if gray else (noise(6, 9, 3), SRGB)
    Image.fromarray(pixels).save(before, icc_profile=profile, exif=exif.tobytes(), dpi=(300, 300), **options)

    picture = read_picture(before)
    assert picture.size == (6, 9)  # rotated by its orientation
    assert picture.gray == gray
    larger = Picture(np.repeat(np.repeat(picture.rgb, 4, 0), 4, 1), gray=gray, metadata=picture.metadata)
    notes = write_picture(larger, after)

    with Image.open(after) as image:
        image.load()
        if gray and target == "webp":
            assert "icc_profile" not in image.info
            assert notes == ("WebP has no gray pixels for its gray colour profile, which was left out",)
        else:
            assert image.info["icc_profile"] == profile
            assert notes == ()
        kept = image.getexif()
        assert (kept[0x010F], kept[0x8298]) == ("Maker", "someone's")
        assert kept.get(0x0112, 1) == 1
        details = kept.get_ifd(IFD.Exif)
        assert (details[0xA002], details[0xA003]) == (24, 36)
        assert float(details[0x829A]) == pytest.approx(0.01)
        assert kept.get_ifd(IFD.GPSInfo)[1] == "N"
        xmp = image.info.get("xmp") or image.info["XML:com.adobe.xmp"]
        xmp = xmp.encode() if isinstance(xmp, str) else xmp
        assert b'dc:creator="me"' in xmp
        assert b"Orientation" not in xmp
        assert b"Dimension" not in xmp
        if "webp" not in (source, target):
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_texts_travel_to_png_and_are_reported_as_lost_elsewhere(tmp_path: Path) -> None:
    picture = Picture(noise(4, 4, 3), metadata=Metadata(text={"Title": "Brücke", "Comment": "c"}))
    assert write_picture(picture, tmp_path / "a.png") == ()
    assert read_picture(tmp_path / "a.png").metadata.text == {"Title": "Brücke", "Comment": "c"}
    assert "text entries" in write_picture(picture, tmp_path / "a.jpg")[0]
    assert read_picture(tmp_path / "a.jpg").metadata.text == {"Comment": "c"}


def test_what_a_jpeg_cannot_hold_is_left_out_with_a_note(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(IFD.Exif)[0x927C] = bytes(70000)
    picture = Picture(noise(4, 4, 3), metadata=Metadata(exif=exif.tobytes(), xmp=bytes(70000)))
    notes = write_picture(picture, tmp_path / "a.jpg")
    assert [note.split(" is ")[0] for note in notes] == ["its EXIF data", "its XMP data"]


def test_damaged_exif_does_not_stop_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "damaged.jpg"
    Image.fromarray(noise(8, 8, 3)).save(path, exif=b"Exif\0\0garbage that is no directory")
    picture = read_picture(path)
    assert picture.size == (8, 8)
    assert picture.metadata.exif == b""


@pytest.mark.parametrize("target", ["jpg", "png", "webp", "tiff"])
def test_a_senseless_resolution_does_not_stop_a_picture(tmp_path: Path, target: str) -> None:
    Image.fromarray(noise(4, 4, 3)).save(tmp_path / "in.tiff", dpi=(4e9, 4e9))
    picture = read_picture(tmp_path / "in.tiff")
    assert picture.metadata.dpi is None
    write_picture(picture, tmp_path / f"out.{target}")
    assert read_picture(tmp_path / f"out.{target}").size == (4, 4)


@pytest.mark.parametrize("error", [OverflowError("large"), TypeError("odd"), struct.error("odd")])
def test_whatever_a_codec_raises_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(ImageError, match=r"a\.png: cannot be written \((large|odd)\)"):
        write_picture(read_picture(noise(4, 4, 3)), tmp_path / "a.png")


def test_a_name_of_full_length(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 251 + ".png")
    write_picture(read_picture(noise(4, 4, 3)), path)
    assert read_picture(path).size == (4, 4)


def test_sizes_that_a_format_cannot_hold() -> None:
    check_fits_format("a.png", (70000, 4))
    check_fits_format("a.webp", (16383, 4))
    with pytest.raises(ImageError, match="JPEG ends at 65535"):
        check_fits_format("a.jpg", (70000, 4))
    with pytest.raises(ImageError, match="WEBP ends at 16383"):
        check_fits_format("a.webp", (4, 16384))


def test_unknown_suffix_and_missing_folder(tmp_path: Path) -> None:
    picture = read_picture(noise(4, 4, 3))
    for name in ("a.bmp", "a"):
        with pytest.raises(ImageError, match=r"name it \.png"):
            write_picture(picture, tmp_path / name)
    with pytest.raises(ImageError, match="cannot be written"):
        write_picture(picture, tmp_path / "absent" / "a.png")


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"before")

    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full_disk)
    with pytest.raises(ImageError, match="No space left"):
        write_picture(read_picture(noise(4, 4, 3)), path)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_writing_goes_through_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.png", tmp_path / "link.png"
    link.symlink_to(real)
    write_picture(read_picture(noise(4, 4, 3)), link)
    assert link.is_symlink()
    assert read_picture(real).size == (4, 4)


def sixteen_bits(path: Path, channels: int) -> np.ndarray:
    """All values of a file by other decoders than ours: tifffile, or Pillow's for the high bytes and for the low."""
    if path.suffix == ".tiff":
        return np.asarray(tifffile.imread(path))
    halves = []
    for order in ("B", "L"):
        with Image.open(path) as image:
            tile = image.tile[0]
            layout = {1: "I;16B", 2: "RGBA", 3: f"RGB;16{order}", 4: f"RGBA;16{order}"}[channels]
            image.tile = [tile._replace(args=(layout, tile.args[1]) if isinstance(tile.args, tuple) else layout)]
            halves.append(np.array(image).astype(np.uint16))
    if channels == 1:
        return halves[0]
    if channels == 2:  # four bytes, taken for RGBA
        return halves[0][..., ::2] << 8 | halves[0][..., 1::2]
    return halves[0] << 8 | halves[1]


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_are_kept(tmp_path: Path, suffix: str, channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (130, 1500, channels), dtype=np.uint16)  # several strips
    path = tmp_path / f"deep.{suffix}"
    assert write_picture(read_picture(pixels), path) == ()
    np.testing.assert_array_equal(sixteen_bits(path, channels).reshape(pixels.shape), pixels)
    np.testing.assert_array_equal(read_picture(path).channels, pixels)


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize("gray", [False, True])
def test_profile_and_metadata_travel_with_sixteen_bits(tmp_path: Path, suffix: str, gray: bool) -> None:
    profile = GRAY if gray else SRGB
    before = Metadata(profile, camera_exif().tobytes(), XMP, (300, 300), {"Title": "a"} if suffix == "png" else {})
    picture = Picture(noise(6, 9, 3).astype(np.uint16) * 257, gray=gray, metadata=before)
    path = tmp_path / f"deep.{suffix}"
    assert write_picture(picture, path) == ()
    after = read_picture(path)
    assert (after.metadata.icc_profile, after.metadata.text, after.gray) == (profile, before.text, gray)
    assert after.metadata.dpi == pytest.approx((300, 300), abs=0.1)
    assert b'dc:creator="me"' in after.metadata.xmp
    exif = Image.Exif()
    exif.load(after.metadata.exif)
    details = exif.get_ifd(IFD.Exif)
    assert (exif[0x010F], details[0xA002], details[0xA003]) == ("Maker", 9, 6)
    assert exif.get_ifd(IFD.GPSInfo)[2] == (48.0, 8.0, 0.0)


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_sixteen_bits_are_rounded_where_the_format_has_eight(tmp_path: Path, suffix: str) -> None:
    smooth = np.add.outer(np.arange(32), np.arange(40)).astype(np.uint16) * 900
    notes = write_picture(read_picture(smooth), tmp_path / f"out.{suffix}")
    name = "JPEG" if suffix == "jpg" else "WEBP"
    assert notes == (f"{name} holds 8 bits a channel: the 16 of the picture were rounded",)
    back = read_picture(tmp_path / f"out.{suffix}")
    assert back.bit_depth == 8
    assert np.abs(back.rgb[..., 0] - smooth / 257).max() <= 6


def test_a_tiff_with_exif_is_compressed_too(tmp_path: Path) -> None:
    picture = Picture(np.zeros((100, 100, 3), np.uint8), metadata=Metadata(exif=camera_exif().tobytes()))
    write_picture(picture, tmp_path / "a.tiff")
    assert (tmp_path / "a.tiff").stat().st_size < 2000


def test_quality(tmp_path: Path) -> None:
    for suffix in ("jpg", "webp"):
        sizes = []
        for quality in (20, 60, 100):
            write_picture(read_picture(noise(64, 64, 3)), tmp_path / f"a.{suffix}", quality=quality)
            sizes.append((tmp_path / f"a.{suffix}").stat().st_size)
        assert sizes == sorted(sizes) and sizes[0] < sizes[2] / 2


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_disk_that_is_full_at_any_byte(tmp_path: Path, suffix: str, dtype: type) -> None:
    """By a limit on the size of files, from which on writes come back short and then fail, as on a full disk."""
    noise = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (40, 50, 3), dtype=dtype)
    path = tmp_path / f"a.{suffix}"
    write_picture(Picture(noise), path)
    whole = path.read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(b"before")
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            with pytest.raises(ImageError, match="cannot be written"):
                write_picture(Picture(noise), path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]
