"""Read a picture from a file, Pillow or an array into a `Picture`."""

import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from ttsr.errors import ImageError
from ttsr.images.formats import READ, silence_libtiff
from ttsr.images.metadata import read_metadata
from ttsr.images.picture import Picture

Source = str | os.PathLike[str] | Image.Image | np.ndarray

_FORMATS = {*READ.values(), "MPO"}  # several JPEGs in one file, as phones write it
_REDUCED = "it holds 16 bits a channel and was reduced to 8"
_SAVE_INTEGERS = "save the picture with 8 or 16 bits a channel first"


def read_picture(source: Source) -> Picture:
    """Read a picture, apply its orientation, and convert it to 8-bit RGB.

    Args:
        source: a file's path, a Pillow image, or an array: uint8 (or uint16, which is reduced to 8 bit) of
            shape (H, W) or (H, W, 1) for gray, (H, W, 3) for RGB, with one channel more for alpha.

    Raises:
        ImageError: it is missing, empty, truncated, no picture, far too large, or of a kind without a defined
            meaning in 8-bit RGB (float and 32-bit integer pixels).
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        with _pillow_errors(getattr(source, "filename", "") or "the image"):
            return _from_pillow(source)
    path = Path(source)
    # Not by its path: Pillow would map a plain TIFF into memory, and garbles one that is to be rotated.
    with open_file(path, str(path)) as file, _pillow_errors(str(path)), _opened(file) as image:
        return _from_pillow(image)


def decode_picture(data: bytes, name: str) -> Picture:
    """Read a picture from the bytes of a file like `read_picture`, which raises the same; errors call it `name`."""
    with _pillow_errors(name), _opened(io.BytesIO(data)) as image:
        return _from_pillow(image)


def stored_size(data: bytes, name: str) -> tuple[int, int]:
    """Width and height from a picture's header, before its orientation is applied; `data` may end after it."""
    with _pillow_errors(name), _opened(io.BytesIO(data)) as image:
        return image.size


def pictures_in(folder: str | Path) -> list[Path]:
    """The picture files of a folder, by their suffix, in the order of their names; hidden ones left out.

    Raises:
        ImageError: the folder cannot be listed or has no pictures.
    """
    try:
        entries = sorted(Path(folder).iterdir())
    except OSError as error:
        raise ImageError(f"{folder}: the folder cannot be read ({error.strerror})") from None
    pictures = [path for path in entries if path.suffix.lower() in READ and not path.name.startswith(".")]
    if not pictures:
        raise ImageError(f"{folder}: there are no pictures in this folder (PNG, JPEG, WebP, TIFF ...)")
    return pictures


@contextmanager
def open_file(path: Path, name: str) -> Iterator[io.BufferedReader]:
    """Open a regular file for reading, or raise an ImageError that calls it `name`."""
    try:
        # Checked first: opening a pipe may block forever, and so may reading a device.
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ImageError(f"{name}: is a folder, not a picture")
        if not stat.S_ISREG(mode):
            raise ImageError(f"{name}: is not a regular file")
        with path.open("rb") as file:
            yield file
    except ImageError:
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise ImageError(f"{name}: there is no such file") from None
    except OSError as error:
        raise ImageError(f"{name}: cannot be read ({error.strerror})") from None
    except ValueError:
        raise ImageError(f"{name!r}: no file can have this name") from None


@contextmanager
def _pillow_errors(name: str) -> Iterator[None]:
    """Convert what Pillow raises on bad data to one line about `name`, and suppress its warnings."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except MemoryError:
        raise
    except ImageError as error:
        raise ImageError(f"{name}: {error.what}", error.remedy) from None
    except UnidentifiedImageError:
        raise ImageError(f"{name}: not a picture that can be read (PNG, JPEG, WebP, TIFF ...)") from None
    except Image.DecompressionBombError:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise ImageError(f"{name}: a decompression bomb, or a picture of more than {limit} megapixels") from None
    except Exception as error:  # on damaged bytes decoders raise anything: SyntaxError, struct.error, KeyError ...
        reason = str(error).strip().splitlines()
        raise ImageError(f"{name}: damaged or cut off ({reason[0] if reason else type(error).__name__})") from None


def _opened(file: IO[bytes]) -> Image.Image:
    if not file.read(1):
        raise ImageError("the file is empty")
    file.seek(0)
    Image.init()
    return Image.open(file, formats=[name for name in _FORMATS if name in Image.OPEN])


def _from_pillow(image: Image.Image) -> Picture:
    notes = []
    if image.format == "TIFF":
        silence_libtiff()
    layout = _stored_layout(image)
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # a phone's MPO is one photo with extras
        notes.append("it has several frames, of which the first was used")
        image.seek(0)
    upright = ImageOps.exif_transpose(image)
    key = upright.info.get("transparency")
    if layout.startswith("RGB;16") and isinstance(key, tuple):  # Pillow cuts pixels to their high bytes, not the key
        upright.info["transparency"] = tuple(value >> 8 for value in key)
    pixels, changes = _to_eight_bit(upright)
    if ";16" in layout and not changes:
        changes = (_REDUCED,)
    gray = pixels.mode in ("L", "LA") or layout.startswith("L")  # Pillow opens 16-bit gray with alpha as RGBA
    alpha = None
    if pixels.has_transparency_data:
        pixels = pixels.convert("LA" if pixels.mode in ("L", "LA") else "RGBA")
        alpha = np.array(pixels.getchannel("A"))
    rgb = np.array(pixels.convert("RGB"))
    if upright.mode in ("P", "PA"):
        gray = bool((rgb == rgb[..., :1]).all())
    # The metadata is the opened image's own: Pillow's copies lose a TIFF's tags and a PNG's texts.
    metadata, losses = read_metadata(image, gray=gray, converted=upright.mode in ("CMYK", "LAB"))
    return Picture(rgb, alpha, gray, metadata, (*notes, *changes, *losses))


def _stored_layout(image: Image.Image) -> str:
    """How the file stores a pixel, in Pillow's terms such as `RGB;16B`; empty once the image is loaded."""
    # The mode alone is not enough: Pillow opens 16-bit colour as 8-bit RGB without a warning.
    match getattr(image, "tile", None):
        case [[str(codec), _, _, (layout, *_, int(largest))], *_] if codec.startswith("ppm") and largest > 255:
            return f"{layout};16"
        case [[_, _, _, str(layout) | (layout, *_)], *_]:
            return str(layout)
    return ""


def _to_eight_bit(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """Convert to a mode of 8-bit L or RGB, with or without alpha or palette; with notes on what changed."""
    if image.mode == "F":
        raise ImageError("float pixels have no fixed range", _SAVE_INTEGERS)
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ImageError("32-bit pixels have no fixed range", _SAVE_INTEGERS)
        reduced = Image.fromarray(_reduced(values))
        key = image.info.get("transparency")
        if isinstance(key, int):  # a value of 16 bits, which several others share once they are 8
            reduced.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
        return reduced, (_REDUCED,)
    if image.mode == "CMYK":
        return _cmyk_to_rgb(image), ("it is CMYK and was converted to sRGB",)
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        assert converted is not None
        return converted, ("it is CIE Lab and was converted to sRGB",)
    if image.mode in ("1", "La", "RGBa", "RGBX", "YCbCr", "HSV"):
        return image.convert({"1": "L", "La": "LA", "RGBa": "RGBA"}.get(image.mode, "RGB")), ()
    return image, ()


def _cmyk_to_rgb(image: Image.Image) -> Image.Image:
    """By the picture's own profile where it has a usable one, otherwise by Pillow's simple formula."""
    converted = None
    if profile := image.info.get("icc_profile"):
        with suppress(ImageCms.PyCMSError, OSError):
            own = ImageCms.getOpenProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
    return converted or image.convert("RGB")


def _from_array(array: np.ndarray) -> Picture:
    shape = array.shape if array.ndim == 3 else (*array.shape, 1)
    if array.dtype not in (np.uint8, np.uint16) or len(shape) != 3 or not 1 <= shape[2] <= 4 or 0 in shape:
        what = f"an array of {array.dtype} and shape {array.shape} is no picture"
        raise ImageError(what, "give uint8 or uint16 of shape (H, W), (H, W, 3) or (H, W, 4)")
    notes = ()
    if array.dtype == np.uint16:
        array, notes = _reduced(array), (_REDUCED,)
    array = array.reshape(shape)
    gray, has_alpha = shape[2] < 3, shape[2] in (2, 4)
    alpha = np.ascontiguousarray(array[..., -1]) if has_alpha else None
    rgb = np.repeat(array[..., :1], 3, axis=2) if gray else np.ascontiguousarray(array[..., :3])
    return Picture(rgb, alpha, gray, notes=notes)


def _reduced(values: np.ndarray) -> np.ndarray:
    """16 bits to 8, to the nearest."""
    return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
