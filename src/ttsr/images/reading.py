"""Read a picture from a file, Pillow or an array into a `Picture`."""

import io
import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from ttsr.errors import ImageError
from ttsr.images.deep_reading import FIRST_FRAME, SAVE_INTEGERS, TIFF_STARTS, read_deep_png, read_deep_tiff, tiff_size
from ttsr.images.formats import READ, silence_decoders, silence_libtiff
from ttsr.images.georeference import with_georeference
from ttsr.images.metadata import orientation_of, read_metadata
from ttsr.images.opening import LimitedFile, open_file
from ttsr.images.picture import Picture, from_array
from ttsr.images.png_chunks import check_rows
from ttsr.images.room import check_room
from ttsr.images.stored_depth import is_deeper_than_eight

Source = str | os.PathLike[str] | Image.Image | np.ndarray

_FORMATS = {*READ.values(), "MPO"}  # several JPEGs in one file, as phones write it
_QUARTER_TURNS = (5, 6, 7, 8)  # EXIF orientations that exchange width and height
_UPRIGHT = dict(
    zip(
        range(2, 9),
        (
            Image.Transpose.FLIP_LEFT_RIGHT,
            Image.Transpose.ROTATE_180,
            Image.Transpose.FLIP_TOP_BOTTOM,
            Image.Transpose.TRANSPOSE,
            Image.Transpose.ROTATE_270,
            Image.Transpose.TRANSVERSE,
            Image.Transpose.ROTATE_90,
        ),
        strict=True,
    )
)
_LONGEST_FILE = 2**31  # of those that some decoders read as a whole first: all but TIFFs that others decode
_LONGEST_REASON = 200  # characters of what a decoder says
_MOST_PLAIN_VALUES = 2**23  # of a PPM as text, which Pillow reads slowly
# Of colour that Pillow decodes: PPM, JPEG 2000, AVIF, or a Pillow image in place of its file.
_REDUCED = "it holds more than 8 bits a channel and was reduced to 8"


def read_picture(source: Source) -> Picture:
    """Read a picture, apply its orientation, and convert it to RGB.

    PNG, TIFF and gray pictures of 16 bits a channel keep them; others become 8 bits, with a note. Of a GeoTIFF that is
    named by its path the georeference is kept, and pixels without data become transparent, where rasterio is installed.

    Args:
        source: a file's path, a Pillow image, or an array: uint8 or uint16 of shape (H, W) or (H, W, 1) for gray,
            (H, W, 3) for RGB, with one channel more for alpha.

    Raises:
        ImageError: it is missing, empty, truncated, no picture, far too large, or of a kind without a defined
            meaning in RGB (float and 32-bit integer pixels).
    """
    if isinstance(source, np.ndarray):
        return from_array(source)
    if isinstance(source, Image.Image):
        with _pillow_errors(getattr(source, "filename", "") or "the image"):
            return _from_pillow(source)
    if not isinstance(source, str | os.PathLike):
        raise ImageError(f"{type(source).__name__} is no picture", "give a path, a Pillow image or an array")
    path = Path(source)
    # Not by its path: Pillow would map a plain TIFF into memory, and garbles one that is to be rotated.
    with open_file(path, str(path)) as file, _pillow_errors(str(path)):
        picture = _from_file(LimitedFile(file))
    return with_georeference(picture, path)


def read_reduced(source: str | os.PathLike[str], longest_side: int) -> tuple[Picture, tuple[int, int]]:
    """Read a picture like `read_picture`, smaller where that is quicker: for copies of at most `longest_side` pixels.

    JPEGs are decoded at a half, a quarter or an eighth of their size, others whole.

    Returns:
        The picture, with `longest_side` pixels along its longer side at least, unless it has fewer; and the upright
        (width, height) of the whole picture.
    """
    path = Path(source)
    with open_file(path, str(path)) as whole, _pillow_errors(str(path)):
        file = LimitedFile(whole)
        with _opened(file) as image:
            if image.format in ("JPEG", "MPO"):
                width, height = image.size
                turned = orientation_of(image) in _QUARTER_TURNS
                shrink = longest_side / max(width, height)
                image.draft(None, (math.ceil(shrink * width), math.ceil(shrink * height)))
                return _from_pillow(image), (height, width) if turned else (width, height)
        picture = _from_file(file)
        return picture, picture.size


def decode_picture(data: bytes, name: str) -> Picture:
    """Read a picture from the bytes of a file like `read_picture`, which raises the same; errors call it `name`."""
    with _pillow_errors(name):
        return _from_file(LimitedFile(io.BytesIO(data)))


def stored_size(data: bytes, name: str) -> tuple[int, int]:
    """Width and height from a picture's header, before its orientation is applied; `data` may end after it."""
    with _pillow_errors(name):
        file = LimitedFile(io.BytesIO(data))
        try:
            with _opened(file) as image:
                return image.size
        except UnidentifiedImageError:
            size = tiff_size(file)  # gray with alpha of 16 bits
            if size is None:
                raise
            return size


@contextmanager
def _pillow_errors(name: str) -> Iterator[None]:
    """Convert what Pillow raises on bad data to one line about `name`, and suppress its warnings."""
    silence_decoders()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except MemoryError:
        raise ImageError(f"{name}: there is not enough memory to read it") from None
    except ImageError as error:
        raise ImageError(f"{name}: {error.what}", error.remedy) from None
    except UnidentifiedImageError:
        raise ImageError(f"{name}: not a picture that can be read (PNG, JPEG, WebP, TIFF ...)") from None
    except Image.DecompressionBombError:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise ImageError(f"{name}: a decompression bomb, or a picture of more than {limit} megapixels") from None
    except Exception as error:  # on damaged bytes decoders raise anything: SyntaxError, struct.error, KeyError ...
        reason = "".join(filter(str.isprintable, str(error).strip().split("\n")[0]))[:_LONGEST_REASON]
        raise ImageError(f"{name}: damaged or cut off ({reason or type(error).__name__})") from None


def _opened(file: BinaryIO) -> Image.Image:
    file.seek(0)
    start = file.read(4)
    if not start:
        raise ImageError("the file is empty")
    if start not in TIFF_STARTS:
        _check_length(file)
    file.seek(0)
    Image.init()
    return Image.open(file, formats=[name for name in _FORMATS if name in Image.OPEN])


def _check_length(file: BinaryIO) -> None:
    position = file.tell()
    length = file.seek(0, os.SEEK_END)
    file.seek(position)
    if length > _LONGEST_FILE:
        raise ImageError(f"it has {length / 2**30:.0f} GiB, more than can be read of its kind")


def _from_file(file: BinaryIO) -> Picture:
    picture = read_deep_tiff(file)
    if picture is not None:
        return picture
    with _opened(file) as image:
        tile = getattr(image, "tile", None)
        decoder = tile[0][0] if tile else ""
        if decoder == "libtiff":
            _check_length(file)
        if decoder == "ppm_plain" and math.prod(image.size) * len(image.getbands()) > _MOST_PLAIN_VALUES:
            raise ImageError("it is a large picture as text", "save it in a binary format first")
        deep = image.format == "PNG" and ";16" in _stored_layout(image)
        if deep:
            return read_deep_png(image, file)
        picture = _from_pillow(image, is_deeper_than_eight(file, image.format))
        # Pillow gives pixels that are missing as black, or as the first colour of the palette.
        if image.format == "PNG" and (image.info.get("interlace") or _is_blank(image)):
            check_rows(file)
        return picture


def _from_pillow(image: Image.Image, deep: bool = False) -> Picture:
    """Convert a picture; `deep`: it had more than 8 bits a channel, of which Pillow may have kept 8."""
    check_room(*image.size)
    notes = []
    if image.format == "TIFF":
        silence_libtiff()
    layout = _stored_layout(image)
    # Not their number, for which some decoders read all.
    if getattr(image, "is_animated", False) and image.format != "MPO":  # a phone's MPO is one photo with extras
        notes.append(FIRST_FRAME)
        image.seek(0)
    image.load()
    turn = _UPRIGHT.get(orientation_of(image))
    upright = image if turn is None else image.transpose(turn)
    if upright.mode.startswith("I"):
        picture = _from_integers(upright)
        metadata, losses = read_metadata(
            image.getexif, image.info, getattr(image, "text", {}), gray=True, converted=False
        )
        return replace(picture, metadata=metadata, notes=(*notes, *losses))
    key = upright.info.get("transparency")
    if layout.startswith("RGB;16") and isinstance(key, tuple):  # Pillow cuts pixels to their high bytes, not the key
        upright = upright.copy()
        upright.info["transparency"] = tuple(value >> 8 for value in key)
    pixels, changes = _to_eight_bit(upright)
    if deep or ";16" in layout:
        changes = (*changes, _REDUCED)
    gray = pixels.mode in ("L", "LA") or layout.startswith("L")  # Pillow opens 16-bit gray with alpha as RGBA
    alpha = None
    if pixels.has_transparency_data:
        pixels = pixels.convert("LA" if pixels.mode in ("L", "LA") else "RGBA")
        alpha = np.array(pixels.getchannel("A"))
    rgb = np.array(pixels.convert("RGB"))
    if upright.mode in ("P", "PA"):
        gray = bool((rgb == rgb[..., :1]).all())
    # The metadata is the opened image's own: Pillow's copies lose a TIFF's tags and a PNG's texts.
    converted, text = upright.mode in ("CMYK", "LAB"), getattr(image, "text", {})
    metadata, losses = read_metadata(image.getexif, image.info, text, gray=gray, converted=converted)
    return Picture(rgb, alpha, gray, metadata, (*notes, *changes, *losses))


def _is_blank(image: Image.Image) -> bool:
    """Whether the last row is one that may not have been decoded."""
    return not np.asarray(image.crop((0, image.height - 1, image.width, image.height))).any()


def _stored_layout(image: Image.Image) -> str:
    """How the file stores a pixel, in Pillow's terms such as `RGB;16B`; empty once the image is loaded."""
    # The mode alone is not enough: Pillow opens 16-bit colour as 8-bit RGB without a warning.
    match getattr(image, "tile", None):
        case [[str(codec), _, _, (layout, *_, int(largest))], *_] if codec.startswith("ppm") and largest > 255:
            return f"{layout};16"
        case [[_, _, _, str(layout) | (layout, *_)], *_]:
            return str(layout)
    return ""


def _from_integers(image: Image.Image) -> Picture:
    """Gray of 16 bits, in one of Pillow's modes for more than 8."""
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ImageError("32-bit pixels have no fixed range", SAVE_INTEGERS)
    key = image.info.get("transparency")
    planes = [values, np.where(values == key, 0, 65535)] if isinstance(key, int) else [values]
    return from_array(np.dstack(planes).astype(np.uint16))


def _to_eight_bit(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """Convert to a mode of 8-bit L or RGB, with or without alpha or palette; with notes on what changed."""
    if image.mode == "F":
        raise ImageError("float pixels have no fixed range", SAVE_INTEGERS)
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
