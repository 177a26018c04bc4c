"""Write a `Picture` to a file whose format follows its name."""

import io
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ttsr.errors import ImageError
from ttsr.images.deep_png import write_deep_png
from ttsr.images.formats import LOSSY, check_fits_format, format_for
from ttsr.images.georeference import without_data, write_georeference
from ttsr.images.metadata import with_pixel_size
from ttsr.images.picture import Metadata, Picture
from ttsr.images.tiff_writing import write_tiff
from ttsr.system.files import atomic_path

DEFAULT_QUALITY = 95
_JPEG_SEGMENT = 65533  # bytes that one JPEG segment can hold, and with it EXIF and XMP


def write_picture(picture: Picture, path: str | Path, *, quality: int = DEFAULT_QUALITY) -> tuple[str, ...]:
    """Write `picture` with its colour profile and metadata, completely or not at all.

    PNG and TIFF are written without loss, with 16 bits a channel where the picture has them. JPEG (without colour
    subsampling) and WebP are written with a `quality` from 1 to 100. A GeoTIFF stays one. Returned is a sentence
    for each thing that the format could not hold.

    Raises:
        ImageError: the format is unknown or too small, or the file cannot be written.
    """
    check_fits_format(path, picture.size)
    format_name = format_for(path)
    metadata = with_pixel_size(picture.metadata, *picture.size)
    notes: list[str] = []
    lies = metadata.georeference
    if lies is not None and format_name == "TIFF":
        picture = without_data(picture)
    elif lies is not None:
        notes.append(f"{format_name} has no place for its georeference, which was left out")
    if picture.bit_depth == 16 and format_name in LOSSY:
        picture = picture.in_eight_bits()
        notes.append(f"{format_name} holds 8 bits a channel: the 16 of the picture were rounded")
    if format_name == "WEBP" and picture.gray and metadata.icc_profile:
        metadata = replace(metadata, icc_profile=None)
        notes.append("WebP has no gray pixels for its gray colour profile, which was left out")
    options = _options(format_name, metadata, notes, quality)
    try:
        # Through a link to its target, as any program would write.
        with atomic_path(Path(path).resolve()) as temporary:
            if format_name == "TIFF":
                write_tiff(picture.channels, temporary, metadata)
                if lies is not None:
                    write_georeference(temporary, lies, picture.size)
            elif picture.bit_depth == 16:
                write_deep_png(picture.channels, temporary, options)
            elif format_name in LOSSY:
                # By way of memory: given a file, Pillow's JPEG does not notice that its end could not be written.
                encoded = io.BytesIO()
                _image(picture, format_name, notes).save(encoded, format=format_name, **options)
                temporary.write_bytes(encoded.getbuffer())
            else:
                _image(picture, format_name, notes).save(temporary, format=format_name, **options)
    except ImageError as error:
        raise ImageError(f"{path}: {error.what}", error.remedy) from None
    except (OSError, ValueError, RuntimeError, OverflowError, TypeError, struct.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{path}: cannot be written ({reason})") from None
    return tuple(notes)


def _image(picture: Picture, format_name: str, notes: list[str]) -> Image.Image:
    """The picture as Pillow writes it, on white in a JPEG."""
    image = picture.to_pil()
    image.info.clear()  # the options say in full what is written
    if format_name != "JPEG" or picture.alpha is None:
        return image
    notes.append("JPEG has no transparency: it was laid on white")
    ground = Image.new("L" if picture.gray else "RGB", image.size, "white")
    ground.paste(image.convert(ground.mode), mask=image.getchannel("A"))
    return ground


def _options(format_name: str, metadata: Metadata, notes: list[str], quality: int) -> dict[str, Any]:
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
        options |= {"quality": quality, "subsampling": 0}
        if "Comment" in metadata.text:
            options["comment"] = metadata.text["Comment"].encode()[:_JPEG_SEGMENT]
    elif format_name == "WEBP":
        options |= {"quality": quality, "method": 4, "exact": True}
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
