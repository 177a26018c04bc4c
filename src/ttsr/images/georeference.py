"""Where on the earth a picture lies, as GeoTIFF says it. Needs rasterio, the extra `geotiff`."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
from PIL.ExifTags import Base

from ttsr.errors import ImageError
from ttsr.images.formats import silence_decoders
from ttsr.images.opening import LimitedFile, open_file
from ttsr.images.picture import Georeference, Picture

LOST = 'its georeference is lost; pip install "ttsr[geotiff]" keeps it'
"""A note on reading."""

_TIFF_SUFFIXES = (".tif", ".tiff")
_UPRIGHT = 1
_WORLD_SUFFIXES = (".tfw", ".tifw", ".tiffw", ".wld")
# GDAL takes names for addresses (of the web, too) that are no absolute paths, and may take a file for one that names
# others.
_DRIVER = "GTiff"


def is_georeferenced(path: str | Path) -> bool:
    """Whether a file is a TIFF that says where it lies, in itself or in a world file beside it."""
    return _placed(Path(path)) is not None


def keeps_georeference(path: Path) -> bool:
    """Whether a file has a georeference that can be kept: rasterio is installed."""
    return is_georeferenced(path) and find_spec("rasterio") is not None


def with_georeference(picture: Picture, path: Path) -> Picture:
    """A picture that was read from a file, with that file's georeference if it has one.

    Pixels without data become transparent, if the picture has no transparency of its own.
    """
    placed = _placed(path)
    if placed is None:
        return picture
    rasterio = _rasterio()
    if rasterio is None:
        return replace(picture, notes=(*picture.notes, LOST))
    with _quietly(rasterio):
        try:
            with rasterio.open(path.absolute(), driver=_DRIVER) as data:
                if placed != _UPRIGHT:  # which GDAL ignores
                    raise ValueError("the picture is to be turned")
                if (data.width, data.height) != picture.size:
                    raise ValueError("it was changed while it was read")
                lies = None if data.transform.is_identity else tuple(data.transform)[:6]
                if lies is not None and not all(map(math.isfinite, lies)):
                    raise ValueError("it is not in numbers")
                crs = None if data.crs is None else data.crs.to_wkt()
                if lies is None and crs is None:
                    note = "it is placed by control points, which are not kept" if data.gcps[0] else ""
                    return replace(picture, notes=(*picture.notes, note)) if note else picture
                kept = Georeference(
                    picture.size,
                    crs,
                    lies,
                    data.nodata,
                    descriptions=tuple(data.descriptions),
                    area_or_point=data.tags().get("AREA_OR_POINT"),
                )
                bands = data.count
        except Exception as error:  # GDAL's errors have no class in common
            note = f"its georeference cannot be read and is lost ({_reason(error)})"
            return replace(picture, notes=(*picture.notes, note))
    notes, used = picture.notes, picture.channels.shape[2]
    if bands > used:
        notes = (*notes, f"of its {bands} bands the first {used} are used")
    alpha = None if picture.alpha is not None else _where_data_is(picture, kept.nodata)
    metadata = replace(picture.metadata, georeference=replace(kept, nodata_as_alpha=alpha is not None))
    return replace(picture, alpha=picture.alpha if alpha is None else alpha, metadata=metadata, notes=notes)


def without_data(picture: Picture) -> Picture:
    """A picture to be written to a GeoTIFF: with the value for no data in place of the transparency made from it."""
    kept = picture.metadata.georeference
    if kept is None or kept.nodata is None or not kept.nodata_as_alpha or picture.alpha is None:
        return picture
    missing = picture.alpha < np.iinfo(picture.alpha.dtype).max // 2 + 1
    value = picture.rgb.dtype.type(int(kept.nodata))
    # A pixel that has data must not have that value by chance.
    near = value - 1 if value == np.iinfo(value.dtype).max else value + 1
    by_chance = (picture.rgb == value).all(axis=2) & ~missing
    rgb = np.where(missing[..., None], value, np.where(by_chance[..., None], near, picture.rgb))
    return replace(picture, rgb=rgb.astype(picture.rgb.dtype), alpha=None)


def write_georeference(path: Path, kept: Georeference, size: tuple[int, int]) -> None:
    """Add a georeference to a TIFF of `size` (width, height), which shows the same place at whatever size.

    Raises:
        ImageError: rasterio is not installed any more, or cannot write it.
    """
    rasterio = _rasterio()
    if rasterio is None:
        raise ImageError("its georeference needs the package rasterio", 'pip install "ttsr[geotiff]"')
    # Without PAM nothing is written beside the file.
    with _quietly(rasterio):
        try:
            with rasterio.open(path.absolute(), "r+", driver=_DRIVER) as data:
                if kept.transform is not None:
                    across, down = kept.size[0] / size[0], kept.size[1] / size[1]
                    a, b, c, d, e, f = kept.transform
                    data.transform = rasterio.Affine(across * a, down * b, c, across * d, down * e, f)
                if kept.crs is not None:
                    data.crs = rasterio.crs.CRS.from_wkt(kept.crs)
                if kept.area_or_point is not None:
                    data.update_tags(AREA_OR_POINT=kept.area_or_point)
                if kept.nodata is not None:
                    data.nodata = kept.nodata
                for band, description in enumerate(kept.descriptions[: data.count], 1):
                    if description:
                        data.set_band_description(band, description)
                transform, has_crs = data.transform, data.crs is not None
            # What GDAL writes when it closes the file may fail without an error, as on a full disk.
            with rasterio.open(path.absolute(), driver=_DRIVER) as data:
                if not data.transform.almost_equals(transform) or (data.crs is not None) != has_crs:
                    raise ValueError("the disk may be full")
        except Exception as error:
            raise ImageError(f"its georeference cannot be written ({_reason(error)})") from None


def _reason(error: Exception) -> str:
    return "".join(filter(str.isprintable, str(error).split("\n")[0])) or type(error).__name__


def _placed(path: Path) -> int | None:
    """How a georeferenced file is to be turned, as EXIF counts; None of any other file."""
    if path.suffix.lower() not in _TIFF_SUFFIXES:
        return None
    import tifffile

    silence_decoders()
    try:
        with open_file(path, str(path)) as file, tifffile.TiffFile(LimitedFile(file)) as tiff:
            page = tiff.pages.first
            placed, orientation = page.is_geotiff, page.tags.valueof(Base.Orientation, _UPRIGHT)
    except Exception:  # whoever reads it says what is wrong
        return None
    if not placed and not any(path.with_suffix(suffix).is_file() for suffix in _WORLD_SUFFIXES):
        return None
    return orientation if orientation in range(1, 9) else _UPRIGHT


def _where_data_is(picture: Picture, nodata: float | None) -> np.ndarray | None:
    """Alpha of a picture whose pixels without data have one value in all bands; None where it has all data."""
    if nodata is None or not math.isfinite(nodata) or nodata != int(nodata):
        return None
    missing = (picture.rgb == int(nodata)).all(axis=2)
    largest = np.iinfo(picture.rgb.dtype).max
    return np.where(missing, 0, largest).astype(picture.rgb.dtype) if missing.any() else None


def _rasterio() -> ModuleType | None:
    try:
        import rasterio
        import rasterio.crs
    except ImportError:
        return None
    return rasterio


@contextmanager
def _quietly(rasterio: ModuleType) -> Iterator[None]:
    with warnings.catch_warnings(), rasterio.Env(GDAL_PAM_ENABLED="NO"):
        warnings.simplefilter("ignore")
        yield
