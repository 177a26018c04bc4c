"""GeoTIFF: the place on the earth survives reading, a change of size, and writing."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import tifffile
from odd_pictures import PLACE as TAGS, SMOOTH
from PIL import Image
from rasterio import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS

from ttsr.errors import ImageError
from ttsr.images.georeference import LOST, is_georeferenced
from ttsr.images.picture import Picture
from ttsr.images.reading import read_picture
from ttsr.images.resize import resize_bicubic
from ttsr.images.writing import write_picture
from ttsr.inference.references import read_reference

# Slightly rotated pixels of 20 cm.
PLACE = Affine(0.2, 0.01, 500000.25, 0.01, -0.2, 5200000.5)
UTM = CRS.from_epsg(32632)


def write_geotiff(path: Path, bands: np.ndarray, **options: Any) -> Path:
    """(bands, H, W), with a georeference."""
    count, height, width = bands.shape
    options = {"crs": UTM, "transform": PLACE, **options}
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=count, dtype=bands.dtype, **options
    ) as data:
        data.write(bands)
        data.descriptions = [f"band {n}" for n in range(count)]
    return path


def bands(dtype: str, count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(1, np.iinfo(dtype).max, (count, 12, 16), dtype=dtype)


def enlarged(picture: Picture, width: int, height: int) -> Picture:
    alpha = None if picture.alpha is None else resize_bicubic(picture.alpha, width, height)
    return replace(picture, rgb=resize_bicubic(picture.rgb, width, height), alpha=alpha)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("size", [(64, 48), (32, 24), (50, 30)])
def test_the_pixel_size_is_divided(tmp_path: Path, dtype: str, count: int, size: tuple[int, int]) -> None:
    picture = read_picture(write_geotiff(tmp_path / "a.tif", bands(dtype, count)))
    assert picture.notes == () and picture.alpha is None
    assert write_picture(enlarged(picture, *size), tmp_path / "b.tif") == ()
    with rasterio.open(tmp_path / "b.tif") as data:
        assert data.crs == UTM and (data.width, data.height) == size
        assert data.transform.almost_equals(PLACE @ Affine.scale(16 / size[0], 12 / size[1]))
        # The corners lie where they lay.
        for corner, old in zip([(0, 0), size], [(0, 0), (16, 12)], strict=True):
            assert data.transform @ corner == pytest.approx(PLACE @ old)
        assert data.descriptions == tuple(f"band {n}" for n in range(count))
        assert (data.dtypes[0], data.count, data.nodata) == (dtype, count, None)
        np.testing.assert_array_equal(np.moveaxis(data.read(), 0, -1), enlarged(picture, *size).channels)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "b.tif"]


@pytest.mark.parametrize(("dtype", "nodata"), [("uint8", 0), ("uint8", 255), ("uint16", 65535), ("uint16", 7)])
def test_pixels_without_data_stay_without(tmp_path: Path, dtype: str, nodata: int) -> None:
    values = bands(dtype)
    values[:, :5, :7] = nodata
    picture = read_picture(write_geotiff(tmp_path / "a.tif", values, nodata=nodata))
    assert picture.alpha is not None and (picture.alpha == 0).sum() == 35
    large = replace(picture, rgb=picture.rgb.repeat(4, 0).repeat(4, 1), alpha=picture.alpha.repeat(4, 0).repeat(4, 1))
    large.rgb[40, 40] = nodata  # by chance
    write_picture(large, tmp_path / "b.tif")
    with rasterio.open(tmp_path / "b.tif") as data:
        assert (data.nodata, data.count) == (nodata, 3)
        missing = data.dataset_mask() == 0
    expected = np.zeros((48, 64), bool)
    expected[:20, :28] = True
    np.testing.assert_array_equal(missing, expected)
    write_picture(large, tmp_path / "b.png")
    assert Image.open(tmp_path / "b.png").has_transparency_data


def test_a_pixel_may_stand_for_a_point(tmp_path: Path) -> None:
    path = write_geotiff(tmp_path / "a.tif", bands("uint8"))
    with rasterio.open(path, "r+") as data:
        data.update_tags(AREA_OR_POINT="Point")
    with rasterio.open(path) as data:
        place = data.transform
    write_picture(enlarged(read_picture(path), 64, 48), tmp_path / "b.tif")
    with rasterio.open(tmp_path / "b.tif") as data:
        assert data.tags()["AREA_OR_POINT"] == "Point"
        assert data.transform.almost_equals(place @ Affine.scale(1 / 4, 1 / 4))


def test_other_metadata_stays(tmp_path: Path) -> None:
    picture = read_picture(write_geotiff(tmp_path / "a.tif", bands("uint8")))
    profile = srgb_profile()
    write_picture(replace(picture, metadata=replace(picture.metadata, icc_profile=profile)), tmp_path / "b.tif")
    again = read_picture(tmp_path / "b.tif")
    assert again.metadata.icc_profile == profile
    assert again.metadata.georeference == picture.metadata.georeference
    np.testing.assert_array_equal(again.rgb, picture.rgb)


def srgb_profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_a_world_file_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(np.moveaxis(bands("uint8"), 0, -1)).save(path)
    assert not is_georeferenced(path) and read_picture(path).metadata.georeference is None
    path.with_suffix(".tfw").write_text("0.2\n0\n0\n-0.2\n1000.1\n1999.9\n")
    write_picture(enlarged(read_picture(path), 64, 48), tmp_path / "b.tif")
    with rasterio.open(tmp_path / "b.tif") as data:
        assert data.transform.almost_equals(Affine(0.05, 0, 1000, 0, -0.05, 2000))
        assert data.crs is None


def test_further_bands_are_said(tmp_path: Path) -> None:
    picture = read_picture(write_geotiff(tmp_path / "a.tif", bands("uint8", 5), photometric="RGB"))
    assert any(note.startswith("of its 5 bands the first") for note in picture.notes)


def test_other_formats_say_what_is_lost(tmp_path: Path) -> None:
    picture = read_picture(write_geotiff(tmp_path / "a.tif", bands("uint8")))
    assert write_picture(picture, tmp_path / "b.png") == ("PNG has no place for its georeference, which was left out",)


def test_without_rasterio_the_loss_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_geotiff(tmp_path / "a.tif", bands("uint8"))
    plain = tmp_path / "plain.tif"
    Image.fromarray(np.moveaxis(bands("uint8"), 0, -1)).save(plain)
    monkeypatch.setitem(sys.modules, "rasterio", None)
    picture = read_picture(path)
    assert picture.notes == (LOST,) and 'pip install "ttsr[geotiff]"' in LOST
    assert picture.metadata.georeference is None and read_picture(plain).notes == ()
    assert read_reference(path).notes == ()  # of which only the pixels are used
    assert write_picture(picture, tmp_path / "b.tif") == ()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_that_is_to_be_turned_loses_its_place(tmp_path: Path, orientation: int) -> None:
    """GDAL places the pixels as they are stored."""
    tags = [*TAGS, (274, 3, 1, orientation, True)]
    tifffile.imwrite(tmp_path / "a.tif", SMOOTH[:, :16], photometric="rgb", metadata=None, extratags=tags)
    picture = read_picture(tmp_path / "a.tif")
    lost = ("its georeference cannot be read and is lost (the picture is to be turned)",)
    assert picture.notes == (() if orientation == 1 else lost)
    assert (picture.metadata.georeference is None) == (orientation != 1)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("tag", [33550, 33922])
def test_a_place_that_is_no_number_is_lost(tmp_path: Path, tag: int, number: float) -> None:
    tags = [(code, *kind, (*value[:-2], number, 1.0) if code == tag else value, True) for code, *kind, value, _ in TAGS]
    tifffile.imwrite(tmp_path / "a.tif", SMOOTH, photometric="rgb", metadata=None, extratags=tags)
    picture = read_picture(tmp_path / "a.tif")
    assert picture.metadata.georeference is None
    assert picture.notes == ("its georeference cannot be read and is lost (it is not in numbers)",)
    write_picture(picture, tmp_path / "b.tif")


def test_control_points_are_said(tmp_path: Path) -> None:
    corners = [GroundControlPoint(row, column, 100 + column, 100 - row) for row, column in ((0, 0), (0, 16), (12, 0))]
    path = write_geotiff(tmp_path / "a.tif", bands("uint8"), transform=None, gcps=corners)
    assert read_picture(path).notes == ("it is placed by control points, which are not kept",)


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = read_picture(write_geotiff(tmp_path / "a.tif", bands("uint8")))
    place = picture.metadata.georeference
    assert place is not None
    nowhere = replace(picture, metadata=replace(picture.metadata, georeference=replace(place, crs="nowhere")))
    with pytest.raises(ImageError, match=r"b\.tif: its georeference cannot be written"):
        write_picture(nowhere, tmp_path / "b.tif")
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(ImageError, match=r"b\.tif: its georeference needs the package rasterio"):
        write_picture(picture, tmp_path / "b.tif")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]
