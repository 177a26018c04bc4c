"""A `Picture` into a file whose format follows its name."""

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.ExifTags import IFD
from PIL.PngImagePlugin import PngInfo

from ttsr.errors import ImageError
from ttsr.images.formats import WRITTEN
from ttsr.images.metadata import with_pixel_size
from ttsr.images.picture import Metadata, Picture
from ttsr.system.files import atomic_path

_LARGEST_SIDE = {"PNG": 2**31 - 1, "JPEG": 65535, "WEBP": 16383, "TIFF": 2**31 - 1}
_XMP_TAG = 700  # of a TIFF
_JPEG_SEGMENT = 65533  # bytes that one JPEG segment can hold, and with it EXIF and XMP


def format_for(path: str | Path) -> str:
    """Pillow's name of the format that `path`'s suffix asks for: PNG, JPEG, WEBP or TIFF.

    Raises:
        ImageError: the suffix is none of those that can be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in WRITTEN:
        raise ImageError(f"{path}: cannot tell the format to write; name it .png, .jpg, .webp or .tiff")
    return WRITTEN[suffix]


def check_fits_format(path: str | Path, size: tuple[int, int]) -> None:
    """See before the work that a picture of `size` (width, height) can be stored under the name `path`.

    Raises:
        ImageError: the suffix is unknown, or the format's sides are shorter than the picture's.
    """
    format_name = format_for(path)
    limit = _LARGEST_SIDE[format_name]
    if max(size) > limit:
        raise ImageError(
            f"{path}: {format_name} ends at {limit} pixels a side and the result has {size[0]}x{size[1]}; "
            "name it .png or .tiff"
        )


def write_picture(picture: Picture, path: str | Path) -> tuple[str, ...]:
    """Write `picture` with its colour profile and metadata, whole or not at all.

    JPEG is written at quality 95 without colour subsampling, WebP at quality 95, PNG and TIFF without loss.

    Returns:
        One sentence for each thing that the format could not hold.

    Raises:
        ImageError: the format is unknown or too small, or the file cannot be written.
    """
    check_fits_format(path, picture.size)
    format_name = format_for(path)
    metadata = with_pixel_size(picture.metadata, *picture.size)
    image = picture.to_pil()
    image.info.clear()  # what is to be written is said in full below
    notes: list[str] = []
    if format_name == "JPEG" and picture.alpha is not None:
        image = _on_white(image)
        notes.append("JPEG has no transparency: it was laid on white")
    if format_name == "WEBP" and picture.gray and metadata.icc_profile:
        metadata = replace(metadata, icc_profile=None)
        notes.append("WebP has no gray pixels for its gray colour profile, which was left out")
    options = _options(format_name, metadata, notes)
    try:
        # Through a link to what it points at, as any program would write.
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
    else:
        options["pnginfo"] = _png_texts(metadata)
    if exif:
        options["exif"] = exif
    if xmp and format_name in ("JPEG", "WEBP"):
        options["xmp"] = xmp
    if format_name != "PNG" and set(metadata.text) - ({"Comment"} if format_name == "JPEG" else set()):
        notes.append(f"{format_name} has no place for its text entries: they were left out")
    return options


def _png_texts(metadata: Metadata) -> PngInfo:
    texts = PngInfo()
    for key, value in metadata.text.items():
        texts.add_itxt(key, value)
    if metadata.xmp:
        texts.add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", "replace"))
    return texts


def _on_white(image: Image.Image) -> Image.Image:
    mode = "L" if image.mode == "LA" else "RGB"
    ground = Image.new(mode, image.size, "white")
    ground.paste(image.convert(mode), mask=image.getchannel("A"))
    return ground
