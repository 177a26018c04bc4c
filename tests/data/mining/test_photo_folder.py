from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ttsr.data.mining.photo_folder import PhotoReader, list_photos
from ttsr.errors import DataError, ImageError
from ttsr.registration import Keypoints


def test_names_are_of_all_folders_and_nothing_hidden(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "deep/er/c.webp", ".hidden/d.png", ".e.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert list_photos(tmp_path) == ["a.JPG", "b.png", "deep/er/c.webp"]


def test_a_folder_without_two_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pictures"):
        list_photos(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match="one picture"):
        list_photos(tmp_path)
    for nowhere in (tmp_path / "nowhere", tmp_path / "a.png", Path(300 * "x")):
        with pytest.raises(DataError, match="no such folder"):
            list_photos(nowhere)


def test_larger_photos_are_shrunk_if_asked(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)).save(tmp_path / "a.png")
    assert PhotoReader(tmp_path).pixels("a.png").shape == (90, 120, 3)
    assert PhotoReader(tmp_path, 200).pixels("a.png").shape == (90, 120, 3)
    assert PhotoReader(tmp_path, 60).pixels("a.png").shape == (45, 60, 3)
    keypoints = PhotoReader(tmp_path, 60).keypoints("a.png")
    assert isinstance(keypoints, Keypoints) and keypoints.size == (60, 45)


def test_a_bad_picture_is_named_not_raised(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    error = PhotoReader(tmp_path).keypoints("a.png")
    assert isinstance(error, ImageError) and "a.png" in str(error)
