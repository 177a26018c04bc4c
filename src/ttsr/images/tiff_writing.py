"""TIFF files with EXIF, compressed and with 8 or 16 bits a channel, of which Pillow can write not all at once."""

import zlib
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.ExifTags import Base
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from ttsr.images.metadata import NESTED_DIRECTORIES
from ttsr.images.picture import Metadata

_STRIP_BYTES = 2**20  # before compression
_DEFLATE, _DIFFERENCES = 8, 2
_MIN_IS_BLACK, _RGB = 1, 2
_UNASSOCIATED_ALPHA = 2
_PREDICTOR, _EXTRA_SAMPLES, _XMP = 317, 338, 700
_INCH = 2


def write_tiff(pixels: np.ndarray, path: Path, metadata: Metadata) -> None:
    """Write (H, W, C) uint8 or uint16 of 1 to 4 channels without loss.

    Raises:
        OSError: the file cannot be written.
        struct.error: it would be larger than 4 GiB.
    """
    height, width, channels = pixels.shape
    colours = channels - (channels in (2, 4))
    differences = np.diff(pixels, axis=1, prepend=pixels.dtype.type(0)).astype(pixels.dtype.newbyteorder("<"))
    rows = max(1, _STRIP_BYTES // pixels[0].nbytes)
    strips = [zlib.compress(differences[top : top + rows].tobytes()) for top in range(0, height, rows)]
    lengths = [len(strip) for strip in strips]
    directory = ImageFileDirectory_v2(prefix=b"II")
    exif = Image.Exif()
    if metadata.exif:
        exif.load(metadata.exif)
    for tag, value in exif.items():
        directory[tag] = exif.get_ifd(tag) if tag in NESTED_DIRECTORIES else value
    if metadata.dpi:
        directory[Base.XResolution], directory[Base.YResolution] = metadata.dpi
        directory[Base.ResolutionUnit] = _INCH
    if metadata.icc_profile:
        directory[Base.InterColorProfile] = metadata.icc_profile
    if metadata.xmp:
        directory[_XMP] = metadata.xmp
    if channels > colours:
        directory[_EXTRA_SAMPLES] = _UNASSOCIATED_ALPHA
    directory[Base.ImageWidth], directory[Base.ImageLength] = width, height
    directory[Base.BitsPerSample] = (8 * pixels.itemsize,) * channels
    directory[Base.SamplesPerPixel] = channels
    directory[Base.PhotometricInterpretation] = _RGB if colours == 3 else _MIN_IS_BLACK
    directory[Base.Compression], directory[_PREDICTOR] = _DEFLATE, _DIFFERENCES
    directory[Base.RowsPerStrip] = rows
    # From the directory's end on, where Pillow counts from.
    directory[Base.StripOffsets] = tuple(np.cumsum([0, *lengths[:-1]]).tolist())
    directory.tagtype[Base.StripOffsets] = 4
    directory[Base.StripByteCounts] = tuple(lengths)
    with path.open("wb") as file:
        directory.save(file)
        file.writelines(strips)
