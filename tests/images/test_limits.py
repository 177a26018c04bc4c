"""Where the limits of size and of the parts of a file lie: what just fits is read."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from ttsr.errors import ImageError
from ttsr.images import opening
from ttsr.images.opening import LimitedFile
from ttsr.images.reading import read_picture


@pytest.mark.parametrize(("length", "reads"), [(0, 3), (1023, 3), (1024, 4), (5000, 7)])
def test_a_file_may_be_read_in_one_part_more_for_each_kibibyte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int, reads: int
) -> None:
    monkeypatch.setattr(opening, "_MOST_READS", 3)
    (tmp_path / "a").write_bytes(bytes(length))
    with (tmp_path / "a").open("rb") as file:
        limited = LimitedFile(file)
        for _ in range(reads):
            limited.read(1)
        with pytest.raises(ImageError, match="too many small parts"):
            limited.read(1)


@pytest.mark.parametrize("size", [None, -1, 70_000, 2**40])
def test_reading_to_the_end(tmp_path: Path, size: int | None) -> None:
    content = np.random.default_rng(0).bytes(70_000)
    (tmp_path / "a").write_bytes(content)
    with (tmp_path / "a").open("rb") as file:
        limited = LimitedFile(file)
        assert limited.read(3) + limited.read(size) == content


@pytest.mark.parametrize(
    ("height", "samples", "fits"), [(10, 3, True), (10, 4, True), (10, 5, False), (8, 5, True), (11, 3, False)]
)
def test_the_largest_pictures_have_four_samples_a_pixel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, height: int, samples: int, fits: bool
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # twice as many are read
    values = np.random.default_rng(0).integers(0, 65536, (height, 20, samples), dtype=np.uint16)
    path = tmp_path / "deep.tiff"
    tifffile.imwrite(path, values, photometric="rgb", planarconfig="contig", metadata=None)
    if fits:
        np.testing.assert_array_equal(read_picture(path).rgb, values[..., :3])
    else:
        with pytest.raises(ImageError, match="decompression bomb"):
            read_picture(path)
