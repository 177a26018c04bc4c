"""Picture formats by the suffix of their files, in Pillow's names."""

import ctypes
import logging
from functools import cache
from pathlib import Path

from PIL import Image, features

from ttsr.errors import ImageError

# Not all that Pillow knows: some of the rest start other programs, or are not pixels at all.
READ = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".ppm": "PPM",
    ".pgm": "PPM",
    ".jp2": "JPEG2000",
    ".avif": "AVIF",
}
LOSSY = ("JPEG", "WEBP")
"""The formats that are written with a quality, and with 8 bits a channel."""

# Of the formats that can be written.
_LARGEST_SIDE = {"PNG": 2**31 - 1, "JPEG": 65535, "WEBP": 16383, "TIFF": 2**31 - 1}

# What Pillow decodes them by, and may have been built without.
_CODECS = {"PNG": "zlib", "JPEG": "jpg", "WEBP": "webp", "TIFF": "libtiff", "JPEG2000": "jpg_2000", "AVIF": "avif"}


def readable_formats() -> dict[str, bool]:
    """The formats of `READ`, and whether this machine's Pillow decodes each (all of it: TIFF with any compression)."""
    supported = features.get_supported()
    return {name: name not in _CODECS or _CODECS[name] in supported for name in dict.fromkeys(READ.values())}


def format_for(path: str | Path) -> str:
    """Pillow's name of the format that `path`'s suffix asks for: PNG, JPEG, WEBP or TIFF.

    Raises:
        ImageError: the suffix is none of those that can be written.
    """
    name = READ.get(Path(path).suffix.lower(), "")
    if name not in _LARGEST_SIDE:
        raise ImageError(f"{path}: cannot tell the format to write", "name it .png, .jpg, .webp or .tiff")
    return name


def check_fits_format(path: str | Path, size: tuple[int, int]) -> None:
    """Check before the work that a picture of `size` (width, height) can be stored under the name `path`.

    Raises:
        ImageError: the suffix is unknown, or the format's longest side is shorter than the picture's.
    """
    format_name = format_for(path)
    limit = _LARGEST_SIDE[format_name]
    if max(size) > limit:
        what = f"{path}: {format_name} ends at {limit} pixels a side and the result has {size[0]}x{size[1]}"
        raise ImageError(what, "name it .png or .tiff")


@cache
def silence_decoders() -> None:
    """Keep what decoders log from stderr, unless a handler asks for it; errors are raised as exceptions too."""
    for name in ("PIL", "tifffile", "imagecodecs", "rasterio"):
        logging.getLogger(name).addHandler(logging.NullHandler())


@cache
def silence_libtiff() -> None:
    """Keep libtiff from printing its errors to stderr, in this process; Pillow raises them as exceptions too."""
    try:
        set_handler = ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler
    except (AttributeError, OSError):  # a Pillow without TIFF, or with libtiff linked in and its symbols hidden
        return
    set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
    set_handler(None)
