"""`ttsr upscale` of a GeoTIFF."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from PIL import Image
from rasterio.crs import CRS
from rasterio.transform import from_origin

from ttsr.cli import main
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.saving import save


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small orthophoto without data in one corner, a reference, and a small network."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    save(TTSR(TTSRConfig(4, (1, 1, 1, 1), (4, 4, 4))), tmp_path / "model.safetensors")
    rng = np.random.default_rng(0)
    for name, side in (("ortho.tif", 12), ("sharp.tif", 24)):
        values = rng.integers(1, 65535, (3, side, side), dtype=np.uint16)
        values[:, :4, :4] = 0
        options = {"width": side, "height": side, "count": 3, "dtype": "uint16", "nodata": 0}
        place = from_origin(500000, 5200000, 2.4 / side, 2.4 / side)
        with rasterio.open(name, "w", driver="GTiff", crs="EPSG:32632", transform=place, **options) as data:
            data.write(values)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "name", "side"),
    [
        ([], "ortho_x4.tif", 48),
        (["--scale", "2"], "ortho_x2.tif", 24),
        (["--scale", "8"], "ortho_x8.tif", 96),
        (["--size", "30x"], "ortho_30x.tif", 30),
        (["-o", "large.tiff", "--scale", "3"], "large.tiff", 36),
    ],
)
def test_it_stays_where_it_lies(arguments: list[str], name: str, side: int, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--ref", "sharp.tif", "--model", "model.safetensors", "--device", "cpu"]
    assert main(["upscale", "ortho.tif", *common, *arguments]) == 0
    out, err = capsys.readouterr()
    assert name in out and err == ""
    with rasterio.open(name) as data:
        assert (data.width, data.crs, data.nodata, data.dtypes) == (side, CRS.from_epsg(32632), 0, ("uint16",) * 3)
        assert data.transform.almost_equals(from_origin(500000, 5200000, 2.4 / side, 2.4 / side))
        missing = data.dataset_mask() == 0
    assert missing[: side // 4, : side // 4].all() and not missing[side // 2 :].any()
    assert not list(Path().glob(".ttsr-*")) and not list(Path().glob("*.xml"))


def test_another_format_says_what_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upscale", "ortho.tif", "--format", "png", "--model", "model.safetensors", "--device", "cpu"]) == 0
    assert "ortho_x4.png: PNG has no place for its georeference, which was left out" in capsys.readouterr().err
    assert Image.open("ortho_x4.png").size == (48, 48)
