"""EXIF, XMP, colour profile, resolution and texts: what still holds after the pixels have changed."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from PIL import Image
from PIL.ExifTags import IFD, Base

from ttsr.images.picture import Metadata

# A TIFF keeps its pixel layout in the same directory as its descriptions, so what may stay is listed.
_KEPT_TAGS = {
    *(Base.DocumentName, Base.ImageDescription, Base.Make, Base.Model, Base.Software, Base.DateTime, Base.Artist),
    *(Base.HostComputer, Base.Copyright, Base.Rating, Base.RatingPercent, Base.XResolution, Base.YResolution),
    *(Base.ResolutionUnit, Base.XPTitle, Base.XPComment, Base.XPAuthor, Base.XPKeywords, Base.XPSubject),
}
NESTED_DIRECTORIES = (IFD.Exif, IFD.GPSInfo)
_XMP_GEOMETRY = re.compile(
    rb"\s(tiff:Orientation|tiff:ImageWidth|tiff:ImageLength|exif:PixelXDimension|exif:PixelYDimension)"
    rb"""\s*=\s*("[^"]*"|'[^']*')"""
    rb"|<(tiff:Orientation|tiff:ImageWidth|tiff:ImageLength|exif:PixelXDimension|exif:PixelYDimension)>[^<]*</\3>"
)
_XMP_KEY = "XML:com.adobe.xmp"


def read_metadata(
    exif: Callable[[], Image.Exif], info: Mapping[Any, Any], text: Mapping[str, Any], *, gray: bool, converted: bool
) -> tuple[Metadata, tuple[str, ...]]:
    """What a file contains beside its pixels, as Pillow names it; with a sentence for each thing left out.

    Args:
        exif: reads the EXIF data.
        info: `icc_profile`, `xmp`, `dpi` and `comment`.
        text: a PNG's texts.
        gray: how the pixels are; a colour profile is kept if it fits them.
        converted: the pixels were converted to sRGB, and no profile is kept.
    """
    notes: list[str] = []
    try:
        kept_exif = _kept_exif(exif())
    except Exception:  # a damaged directory fails in many ways inside Pillow, none of which concerns the pixels
        kept_exif = b""
        notes.append("its EXIF data is damaged and was left out")
    profile, xmp = (_as_bytes(info.get(key)) for key in ("icc_profile", "xmp"))
    if converted:
        profile = b""
    if profile and profile[16:20] != (b"GRAY" if gray else b"RGB "):  # the colour space in an ICC header
        profile = b""
        notes.append("its colour profile is for other channels than these and was left out")
    texts = {
        key: str(value) for key, value in text.items() if key != _XMP_KEY and not key.startswith("Raw profile type")
    }
    if comment := info.get("comment"):
        texts["Comment"] = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else str(comment)
    xmp = _XMP_GEOMETRY.sub(b"", xmp or _as_bytes(info.get(_XMP_KEY)))
    return Metadata(profile or None, kept_exif, xmp, _usable_dpi(info.get("dpi")), texts), tuple(notes)


def orientation_of(image: Image.Image) -> int:
    """How an image is to be turned by its EXIF data: 1 (upright) to 8; upright too where it cannot be read."""
    try:
        value = image.getexif().get(Base.Orientation)
    except Exception:  # `read_metadata` says so
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def with_pixel_size(metadata: Metadata, width: int, height: int) -> Metadata:
    """`metadata` with the EXIF's pixel dimensions, where it has any, set to the given size."""
    if not metadata.exif:
        return metadata
    exif = Image.Exif()
    exif.load(metadata.exif)
    if IFD.Exif not in exif:
        return metadata
    details = exif.get_ifd(IFD.Exif)
    sizes = {Base.ExifImageWidth: width, Base.ExifImageHeight: height}
    details.update({tag: value for tag, value in sizes.items() if tag in details})
    return replace(metadata, exif=exif.tobytes())


def _kept_exif(source: Image.Exif) -> bytes:
    """The descriptive tags of `source` with its Exif and GPS directories; no thumbnail, no orientation."""
    kept = Image.Exif()
    kept.update({tag: source[tag] for tag in _KEPT_TAGS if tag in source})
    empty = not len(kept)
    for directory in NESTED_DIRECTORIES:
        # The interoperability directory is a file offset here, and contains only "R98".
        values = {tag: value for tag, value in source.get_ifd(directory).items() if tag != IFD.Interop}
        if values:
            kept.get_ifd(directory).update(values)
            empty = False
    return b"" if empty else kept.tobytes()


def _as_bytes(value: Any) -> bytes:
    """What a file holds, nothing if it is of a type that it cannot be: a TIFF says itself of which type a value is."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    return bytes(value) if isinstance(value, bytes | bytearray) else b""


def _usable_dpi(dpi: Any) -> tuple[float, float] | None:
    try:
        across, down = (float(value) for value in dpi)
    except (TypeError, ValueError, ArithmeticError):
        return None
    # A JPEG stores 16 bits, and no picture needs more.
    return (across, down) if all(1 <= value <= 65535 for value in (across, down)) else None
