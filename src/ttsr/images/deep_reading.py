"""Pictures of 16 bits a channel from PNG and TIFF files, which Pillow cuts to 8 or cannot read."""

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from PIL import Image
from PIL.ExifTags import Base

from ttsr.errors import ImageError
from ttsr.images.metadata import orientation_of, read_metadata
from ttsr.images.picture import Picture, from_array
from ttsr.images.png_chunks import SIGNATURE, chunks, is_of_pixels
from ttsr.images.room import check_room

if TYPE_CHECKING:
    from tifffile import TiffPage

FIRST_FRAME = "it has several frames, of which the first was used"
SAVE_INTEGERS = "save the picture with 8 or 16 bits a channel first"

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB = 0, 1, 2
_PLANAR = 2
# None, LZW, Deflate (three numbers), PackBits, LZMA and Zstandard (two): their decoders are told how much to decode.
# Others go by what the compressed data says of itself.
_COMPRESSIONS = (1, 5, 8, 32946, 50013, 32773, 34925, 34926, 50000)
_MOST_SAMPLES = 4  # a pixel, of the largest pictures; smaller ones may have more
_ASSOCIATED, _UNASSOCIATED = 1, 2
_ICC_PROFILE, _XMP = 34675, 700
_READ_TAGS = (_ICC_PROFILE, _XMP, Base.Orientation, Base.XResolution, Base.YResolution, Base.ResolutionUnit)
_DPI_OF_UNIT = {2: 1.0, 3: 2.54}


def read_deep_png(image: Image.Image, file: BinaryIO) -> Picture:
    """Read a PNG of 16 bits a channel, which Pillow has opened from the file; raises what Pillow and libpng raise."""
    import imagecodecs

    check_room(*image.size)
    image.load()  # which checks it, and reads what follows the pixels
    data = b"".join([SIGNATURE, *chunks(file, is_of_pixels)])
    if struct.unpack(">II", data[16:24]) != image.size:
        raise ImageError("it was changed while it was read")
    pixels = imagecodecs.png_decode(data)  # a transparent colour becomes alpha
    notes = (FIRST_FRAME,) if getattr(image, "n_frames", 1) > 1 else ()
    text = getattr(image, "text", {})
    return _picture(pixels, image.getexif, image.info, text, orientation_of(image), notes)


def read_deep_tiff(file: BinaryIO) -> Picture | None:
    """Read a gray or RGB TIFF of 9 to 16 bits a channel, with or without alpha; None of any other file.

    Raises:
        ImageError: its pixels are floats, or it is larger than Pillow's limit.
        Exception: what tifffile and imagecodecs raise on damaged files.
    """
    page = _first_page(file)
    if page is None:
        return None
    if page.dtype is not None and page.dtype.kind == "f":
        raise ImageError("float pixels have no fixed range", SAVE_INTEGERS)
    if page.dtype == np.int8:  # which Pillow takes for unsigned
        raise ImageError("signed pixels have no fixed range", SAVE_INTEGERS)
    # GDAL marks three bands of 16 bits and more as gray and unspecified ones, unless it is told that they are colours.
    unmarked = page.photometric == _MIN_IS_BLACK and page.samplesperpixel >= 3 and not any(page.extrasamples[:2])
    colours = 3 if page.photometric == _RGB or unmarked else 1
    understood = page.photometric in (_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB) and page.imagedepth == 1
    if page.dtype != np.uint16 or not understood or page.samplesperpixel < colours:
        return None
    if page.compression not in _COMPRESSIONS:
        raise ImageError("its compression is not supported with 16 bits a channel", "save it with LZW or Deflate")
    if Image.MAX_IMAGE_PIXELS is not None:
        sides = page.imagelength * page.imagewidth, page.tilelength * page.tilewidth
        if max(*sides, sides[0] * page.samplesperpixel // _MOST_SAMPLES) > 2 * Image.MAX_IMAGE_PIXELS:
            raise Image.DecompressionBombError
    check_room(page.imagewidth, page.imagelength * max(1, page.samplesperpixel // _MOST_SAMPLES))
    if not page.imagelength * page.imagewidth:
        raise ImageError("damaged (it has no pixels)")
    end = file.seek(0, 2)
    parts = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    if len(parts) < math.prod(page.chunked) or any(start + length > end for start, length in parts):
        raise ImageError("damaged or cut off (its pixels lie behind the end of the file)")
    size, samples = (page.imagelength, page.imagewidth), page.samplesperpixel
    if page.planarconfig == _PLANAR:
        pixels = np.moveaxis(page.asarray().reshape(samples, *size), 0, -1)
    else:
        pixels = page.asarray().reshape(*size, samples)
    if page.bitspersample < 16:
        largest = 2**page.bitspersample - 1
        pixels = ((pixels.astype(np.uint32) * 65535 + largest // 2) // largest).astype(np.uint16)
    colour, alpha = pixels[..., :colours], _alpha(pixels, colours, page.extrasamples)
    if page.photometric == _MIN_IS_WHITE:
        colour = 65535 - colour
    if alpha is not None:
        if _ASSOCIATED in page.extrasamples:
            colour = _divided(colour, alpha)
        colour = np.concatenate([colour, alpha], axis=-1)
    tags = {code: page.tags.valueof(code) for code in _READ_TAGS if code in page.tags}
    info = {"icc_profile": tags.get(_ICC_PROFILE), "xmp": tags.get(_XMP), "dpi": _dpi(tags)}
    tiff = page.parent
    notes = [FIRST_FRAME] if tiff.pages.is_multipage else []
    if tiff.is_bigtiff:
        notes.append("it is a BigTIFF, whose EXIF data was left out")

    def exif() -> Image.Exif:
        read = Image.Exif()
        if not tiff.is_bigtiff:
            file.seek(0)
            read.load_from_fp(file)
        return read

    return _picture(colour, exif, info, {}, tags.get(Base.Orientation, 1), notes)


def tiff_size(file: BinaryIO) -> tuple[int, int] | None:
    """Width and height as a TIFF's header says them, without its orientation; None of any other file."""
    page = _first_page(file)
    return None if page is None else (page.imagewidth, page.imagelength)


def _first_page(file: BinaryIO) -> "TiffPage | None":
    """That of a TIFF; None of what tifffile cannot read: Pillow says what is wrong."""
    file.seek(0)
    is_tiff = file.read(4) in TIFF_STARTS
    file.seek(0)
    if not is_tiff:
        return None
    from tifffile import TiffFile

    try:
        return TiffFile(file).pages.first
    except Exception:
        return None


def _alpha(pixels: np.ndarray, colours: int, kinds: Sequence[int]) -> np.ndarray | None:
    """The (H, W, 1) channel that is marked as alpha, or is the only one beside the colours and not marked at all."""
    if not kinds and pixels.shape[-1] == colours + 1:
        return pixels[..., colours:]
    for number, kind in enumerate(kinds, colours):
        if kind in (_ASSOCIATED, _UNASSOCIATED) and number < pixels.shape[-1]:
            return pixels[..., number : number + 1]
    return None


def _divided(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours that were stored multiplied by alpha."""
    divided = (colour.astype(np.uint64) * 65535 + alpha // 2) // np.maximum(alpha, 1)
    return np.minimum(divided, 65535).astype(np.uint16)


def _dpi(tags: Mapping[int, Any]) -> tuple[float, float] | None:
    """Horizontal and vertical resolution, where it has a unit."""
    factor = _DPI_OF_UNIT.get(int(tags.get(Base.ResolutionUnit, 2)))
    try:
        (across, per_across), (down, per_down) = tags[Base.XResolution], tags[Base.YResolution]
        return None if factor is None else (across / per_across * factor, down / per_down * factor)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def _picture(
    pixels: np.ndarray,
    exif: Callable[[], Image.Exif],
    info: Mapping[Any, Any],
    text: Mapping[str, Any],
    orientation: Any,
    notes: Sequence[str],
) -> Picture:
    picture = from_array(_upright(pixels, orientation))
    metadata, losses = read_metadata(exif, info, text, gray=picture.gray, converted=False)
    return replace(picture, metadata=metadata, notes=(*notes, *losses))


def _upright(pixels: np.ndarray, orientation: Any) -> np.ndarray:
    """Rotate and mirror as EXIF's orientation says, from 1 (upright) to 8."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
