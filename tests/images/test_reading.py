import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from ttsr.errors import ImageError
from ttsr.images import room
from ttsr.images.picture import Picture
from ttsr.images.reading import read_picture, read_reduced
from ttsr.images.resize import resize_bicubic
from ttsr.images.writing import write_picture


@pytest.fixture
def rgb() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", ["png", "tiff", "bmp", "ppm", "webp"])
def test_files_paths_images_and_arrays_read_the_same(tmp_path: Path, rgb: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"picture.{suffix}"
    Image.fromarray(rgb).save(path, lossless=True)
    for source in (path, str(path), Image.open(path), rgb):
        picture = read_picture(source)
        np.testing.assert_array_equal(picture.rgb, rgb)
        assert (picture.alpha, picture.gray, picture.notes, picture.size) == (None, False, (), (9, 6))


def test_gray_is_three_equal_channels(tmp_path: Path, rgb: np.ndarray) -> None:
    gray = rgb[..., 0]
    path = tmp_path / "gray.png"
    Image.fromarray(gray).save(path)
    for source in (path, gray, gray[..., None]):
        picture = read_picture(source)
        assert picture.gray
        assert picture.to_pil().mode == "L"
        np.testing.assert_array_equal(picture.rgb, np.dstack([gray] * 3))


def test_black_and_white(tmp_path: Path) -> None:
    bits = np.eye(5, dtype=bool)
    Image.fromarray(bits).save(tmp_path / "bits.png")
    picture = read_picture(tmp_path / "bits.png")
    assert picture.gray
    np.testing.assert_array_equal(picture.rgb[..., 1], bits * 255)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_separate(tmp_path: Path, rgb: np.ndarray, mode: str) -> None:
    alpha = np.arange(54, dtype=np.uint8).reshape(6, 9)
    color = rgb[..., :1] if mode == "LA" else rgb
    pixels = np.dstack([color, alpha])
    Image.fromarray(pixels).save(tmp_path / "alpha.png")
    for source in (tmp_path / "alpha.png", pixels):
        picture = read_picture(source)
        assert picture.alpha is not None
        np.testing.assert_array_equal(picture.alpha, alpha)
        assert picture.to_pil().mode == mode
        np.testing.assert_array_equal(np.array(picture.to_pil()), pixels)


def test_one_color_can_be_the_transparent_one(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[10, 20], [30, 40]], dtype=np.uint8))
    image.save(tmp_path / "key.png", transparency=20)
    picture = read_picture(tmp_path / "key.png")
    assert picture.gray
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, [[255, 0], [255, 255]])


def test_palettes(tmp_path: Path, rgb: np.ndarray) -> None:
    coarse = rgb // 128 * 255
    Image.fromarray(coarse).quantize(8).save(tmp_path / "color.gif")
    picture = read_picture(tmp_path / "color.gif")
    assert not picture.gray
    np.testing.assert_array_equal(picture.rgb, coarse)

    gray = Image.fromarray(rgb[..., 0] // 64 * 80).convert("P")
    gray.save(tmp_path / "gray.png")
    assert read_picture(tmp_path / "gray.png").gray

    gray.save(tmp_path / "hole.png", transparency=bytes([0, *[255] * 255]))
    alpha = read_picture(tmp_path / "hole.png").alpha
    assert alpha is not None
    np.testing.assert_array_equal(alpha == 0, np.array(gray) == 0)


def test_16_bit_ppm_is_recognized(tmp_path: Path) -> None:
    values = np.full((2, 2, 3), 65535, dtype=">u2")
    (tmp_path / "deep.ppm").write_bytes(b"P6 2 2 65535\n" + values.tobytes())
    picture = read_picture(tmp_path / "deep.ppm")
    assert picture.notes == ("it holds more than 8 bits a channel and was reduced to 8",)
    assert (picture.bit_depth, picture.rgb.min()) == (8, 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_and_reset(tmp_path: Path, orientation: int) -> None:
    upright = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Maker"
    for suffix in ("png", "tiff"):
        path = tmp_path / f"rotated.{suffix}"
        Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
        picture = read_picture(path)
        np.testing.assert_array_equal(picture.rgb[..., 0], upright)
        kept = Image.Exif()
        kept.load(picture.metadata.exif)
        assert dict(kept) == {0x010F: "Maker"}


def test_cmyk_and_lab_become_srgb(tmp_path: Path) -> None:
    Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg", quality=100)
    picture = read_picture(tmp_path / "cmyk.jpg")
    assert "CMYK" in picture.notes[0]
    assert (picture.rgb[..., 0] > 150).all()
    assert (picture.rgb[..., 1:] < 80).all()

    Image.new("LAB", (4, 4), (255, 128, 128)).save(tmp_path / "lab.tiff")
    picture = read_picture(tmp_path / "lab.tiff")
    assert "Lab" in picture.notes[0]
    assert (picture.rgb > 240).all()


def test_a_wrong_cmyk_profile_does_not_stop_a_picture(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg", quality=100, icc_profile=srgb)
    picture = read_picture(tmp_path / "cmyk.jpg")
    assert (picture.rgb[..., 0] > 150).all()
    assert picture.metadata.icc_profile is None


def test_a_profile_for_other_channels_is_left_out(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (4, 4)).save(tmp_path / "color.png", icc_profile=profile)
    assert read_picture(tmp_path / "color.png").metadata.icc_profile == profile
    Image.new("L", (4, 4)).save(tmp_path / "gray.png", icc_profile=profile)
    picture = read_picture(tmp_path / "gray.png")
    assert picture.metadata.icc_profile is None
    assert "profile" in picture.notes[0]


def test_the_first_of_several_frames_is_used(tmp_path: Path) -> None:
    frames = [Image.new("L", (4, 4), value) for value in (10, 20)]
    frames[0].save(tmp_path / "moving.tiff", save_all=True, append_images=frames[1:])
    picture = read_picture(tmp_path / "moving.tiff")
    assert "frames" in picture.notes[0]
    assert (picture.rgb == 10).all()


def test_bad_files_get_one_line_each(tmp_path: Path, rgb: np.ndarray) -> None:
    whole = tmp_path / "whole.png"
    Image.fromarray(np.tile(rgb, (20, 20, 1))).save(whole)
    cases = {
        "empty.png": (b"", "empty"),
        "text.png": (b"not a picture at all", "not a picture"),
        "cut.png": (whole.read_bytes()[: whole.stat().st_size // 2], "damaged or cut off"),
        "header.jpg": (b"\xff\xd8\xff\xe0", "not a picture"),
    }
    for name, (content, message) in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ImageError, match=message) as caught:
            read_picture(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(ImageError, match="no such file"):
        read_picture(tmp_path / "missing.png")
    with pytest.raises(ImageError, match="is a folder"):
        read_picture(tmp_path)
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "endless.png").symlink_to("/dev/zero")
    for name in ("pipe.png", "endless.png"):
        with pytest.raises(ImageError, match=rf"{name}: is not a regular file"):
            read_picture(tmp_path / name)
    with pytest.raises(ImageError, match=r"x\.png: cannot be read \(File name too long\)"):
        read_picture(tmp_path / ("x" * 300 + "x.png"))
    with pytest.raises(ImageError, match=r"x\\x00\.png': no file can have this name"):
        read_picture(tmp_path / "x\0.png")


@pytest.mark.parametrize("pixel", [np.float32(0.5), np.int32(-1)])
def test_pixels_without_a_fixed_range_are_refused(tmp_path: Path, pixel: np.generic) -> None:
    path = tmp_path / "range.tiff"
    Image.fromarray(np.full((4, 4), pixel)).save(path)
    with pytest.raises(ImageError, match=r"range\.tiff: .* no fixed range"):
        read_picture(path)


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.png"
    Image.new("1", (2000, 2000)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10**6)
    with pytest.raises(ImageError, match="decompression bomb"):
        read_picture(path)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), np.float32),
        np.zeros((3, 4, 4, 3), np.uint8),
        np.zeros((4, 0, 3), np.uint8),
        np.zeros((4, 4, 5), np.uint8),
    ],
)
def test_arrays_that_are_no_pictures(array: np.ndarray) -> None:
    with pytest.raises(ImageError, match="is no picture: give uint8"):
        read_picture(array)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg"])
def test_a_broken_tiff_prints_nothing(
    tmp_path: Path, rgb: np.ndarray, compression: str, capfd: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.tile(rgb, (20, 20, 1))).save(tmp_path / "whole.tiff", compression=compression)
    data = bytearray((tmp_path / "whole.tiff").read_bytes())
    data[20 : len(data) // 2 : 7] = bytes(len(range(20, len(data) // 2, 7)))
    for source in (tmp_path / "broken.tiff", io.BytesIO(data)):
        (tmp_path / "broken.tiff").write_bytes(data)
        with pytest.raises(ImageError, match="damaged or cut off"):
            read_picture(source if isinstance(source, Path) else Image.open(source))
    assert capfd.readouterr() == ("", "")


def test_nothing_is_printed_from_the_first_picture_on(tmp_path: Path, rgb: np.ndarray) -> None:
    """What keeps libtiff silent holds for the process: in this one another test may have set it."""
    Image.fromarray(np.tile(rgb, (20, 20, 1))).save(tmp_path / "whole.tiff", compression="tiff_lzw")
    data = bytearray((tmp_path / "whole.tiff").read_bytes())
    data[20 : len(data) // 2 : 7] = bytes(len(range(20, len(data) // 2, 7)))
    (tmp_path / "broken.tiff").write_bytes(data)
    program = (
        "import sys; from ttsr.errors import ImageError; from ttsr.images.reading import read_picture\n"
        "try: read_picture(sys.argv[1])\nexcept ImageError: print('refused')"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "broken.tiff")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("refused\n", "")


@pytest.mark.parametrize("orientation", [1, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_is_read_smaller_for_a_copy(tmp_path: Path, mode: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    smooth = Image.fromarray(np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)).resize((640, 480))
    smooth.convert(mode).save(tmp_path / "photo.jpg", exif=exif)
    whole = read_picture(tmp_path / "photo.jpg")
    picture, size = read_reduced(tmp_path / "photo.jpg", 160)
    assert size == whole.size and picture.size == tuple(side // 4 for side in size)
    shrunk = resize_bicubic(whole.rgb, *picture.size)
    assert np.abs(picture.rgb.astype(int) - shrunk).mean() < 3
    assert read_reduced(tmp_path / "photo.jpg", 700)[0].size == whole.size


def test_other_formats_are_read_whole(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "photo.png")
    picture, size = read_reduced(tmp_path / "photo.png", 16)
    assert picture.size == size == (64, 48)
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(ImageError, match=r"cut\.jpg: "):
        read_reduced(tmp_path / "cut.jpg", 16)


@pytest.mark.parametrize("name", ["large.png", "large.jpg", "large.tiff", "large.deep.png", "large.deep.tiff"])
def test_a_picture_for_which_memory_is_short_is_not_begun(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "free_bytes", lambda: 90_000_000)
    size = (3000, 2000)
    if "deep" in name:
        write_picture(Picture(np.zeros((*size[::-1], 3), np.uint16)), tmp_path / name)
    else:
        Image.new("RGB", size).save(tmp_path / name)
    with pytest.raises(ImageError, match=rf"{name}: 3000x2000 pixels take about 0\.1 GB .* 0\.1 GB are free"):
        read_picture(tmp_path / name)
    monkeypatch.setattr(room, "free_bytes", lambda: 130_000_000)
    assert read_picture(tmp_path / name).size == size


def test_memory_that_runs_out_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")

    def run_out(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image, "open", run_out)
    with pytest.raises(ImageError, match=r"a\.png: there is not enough memory to read it"):
        read_picture(tmp_path / "a.png")
    with pytest.raises(ImageError, match=r"a\.png: there is not enough memory to read it"):
        read_reduced(tmp_path / "a.png", 4)


def test_pillow_images_of_any_kind() -> None:
    with pytest.raises(ImageError, match="float pixels have no fixed range"):
        read_picture(Image.new("F", (4, 4)))
    red = Image.new("RGBA", (4, 3), (250, 0, 0, 128))
    for mode in ("RGBX", "YCbCr", "HSV", "RGBa"):
        picture = read_picture(red.convert("RGB").convert(mode) if mode != "RGBa" else red.convert(mode))
        np.testing.assert_allclose(picture.rgb[0, 0].astype(int), (250, 0, 0), atol=2, err_msg=mode)
        assert (picture.alpha is None or picture.alpha.min() >= 128) and not picture.gray
