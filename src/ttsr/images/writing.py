"""Write a `Picture` to a file whose format follows its name."""

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.ExifTags import IFD
from PIL.PngImagePlugin import PngInfo

from ttsr.errors import ImageError
from ttsr.images.formats import check_fits_format, format_for, silence_libtiff
from ttsr.images.metadata import with_pixel_size
from ttsr.images.picture import Metadata, Picture
from ttsr.system.files import atomic_path

_XMP_TAG = 700  # of a TIFF
_JPEG_SEGMENT = 65533  # bytes that one JPEG segment can hold, and with it EXIF and XMP


def write_picture(picture: Picture, path: str | Path) -> tuple[str, ...]:
    """Write `picture` with its colour profile and metadata, completely or not at all.

    JPEG is written at quality 95 without colour subsampling, WebP at quality 95, PNG and TIFF without loss. Returned is
    a sentence for each thing that the format could not hold.

    Raises:
        ImageError: the format is unknown or too small, the picture has 16 bits, or the file cannot be written.
    """
    check_fits_format(path, picture.size)
    format_name = format_for(path)
    if format_name == "TIFF":
        silence_libtiff()
    metadata = with_pixel_size(picture.metadata, *picture.size)
    image = picture.to_pil()
    image.info.clear()  # the options below say in full what is written
    notes: list[str] = []
    if format_name == "JPEG" and picture.alpha is not None:
        ground = Image.new("L" if picture.gray else "RGB", image.size, "white")
        ground.paste(image.convert(ground.mode), mask=image.getchannel("A"))
        image = ground
        notes.append("JPEG has no transparency: it was laid on white")
    if format_name == "WEBP" and picture.gray and metadata.icc_profile:
        metadata = replace(metadata, icc_profile=None)
        notes.append("WebP has no gray pixels for its gray colour profile, which was left out")
    options = _options(format_name, metadata, notes)
    try:
        # Through a link to its target, as any program would write.
        with atomic_path(Path(path).resolve()) as temporary:
            image.save(temporary, format=format_name, **options)
    except (OSError, ValueError, RuntimeError, OverflowError, TypeError, struct.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{path}: cannot be written ({reason})") from None
    return tuple(notes)


def _options(format_name: str, metadata: Metadata, notes: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if metadata.icc_profile:
        options["icc_profile"] = metadata.icc_profile
    if metadata.dpi and format_name != "WEBP":
        options["dpi"] = metadata.dpi
    exif, xmp = metadata.exif, metadata.xmp
    if format_name == "JPEG":
        if len(exif) > _JPEG_SEGMENT:
            exif = b""
            notes.append("its EXIF data is too long for a JPEG and was left out")
        if len(xmp) > _JPEG_SEGMENT - 29:
            xmp = b""
            notes.append("its XMP data is too long for a JPEG and was left out")
        options |= {"quality": 95, "subsampling": 0}
        if "Comment" in metadata.text:
            options["comment"] = metadata.text["Comment"].encode()[:_JPEG_SEGMENT]
    elif format_name == "WEBP":
        options |= {"quality": 95, "method": 4, "exact": True}
    elif format_name == "TIFF":
        directory = Image.Exif()
        if exif:
            directory.load(exif)
        # Pillow can compress a TIFF or give it EXIF and GPS directories, not both.
        if IFD.Exif not in directory and IFD.GPSInfo not in directory:
            options["compression"] = "tiff_adobe_deflate"
        if xmp:
            directory[_XMP_TAG] = xmp
            exif = directory.tobytes()
    elif format_name == "PNG":
        options["pnginfo"] = texts = PngInfo()
        for key, value in metadata.text.items():
            texts.add_itxt(key, value)
        if xmp:
            texts.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
    if exif:
        options["exif"] = exif
    if xmp and format_name in ("JPEG", "WEBP"):
        options["xmp"] = xmp
    if format_name != "PNG" and set(metadata.text) - ({"Comment"} if format_name == "JPEG" else set()):
        notes.append(f"{format_name} has no place for its text entries: they were left out")
    return options
