import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ttsr.progress import Cancelled, Progress
from ttsr.registration.keypoints import KEYPOINT, Keypoints
from ttsr.retrieval.keypoint_cache import CacheEntry, shrink_cache
from ttsr.retrieval.photo_index import index_photos

Pixels = NDArray[np.uint8]


@pytest.fixture
def photo(tmp_path: Path, aloe: Pixels) -> Path:
    path = tmp_path / "photo.jpg"
    Image.fromarray(aloe[:160, :240]).save(path)
    return path


def entries(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


def test_keypoints_are_found_once(photo: Path, cache: Path, tmp_path: Path) -> None:
    first = index_photos([photo])
    assert (first.found, first.unreadable, len(first.photos)) == (1, {}, 1)
    keypoints = first.photos[0].keypoints
    assert keypoints.size == (240, 160) and len(keypoints) > 50
    os.symlink(photo, tmp_path / "link.jpg")  # the same file by another name
    again = index_photos([tmp_path / "link.jpg"])
    assert again.found == 0 and len(entries(cache)) == 1
    np.testing.assert_array_equal(again.photos[0].keypoints.records, keypoints.records)


def test_a_changed_photo_is_looked_at_again(photo: Path, cache: Path, leuven: Pixels) -> None:
    index_photos([photo])
    Image.fromarray(leuven[:120, :160]).save(photo)
    index = index_photos([photo])
    assert index.found == 1 and index.photos[0].keypoints.size == (160, 120)
    assert len(entries(cache)) == 1 and index_photos([photo]).found == 0


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other", "folder"])
def test_a_damaged_entry_counts_as_none(photo: Path, cache: Path, damage: str) -> None:
    whole = index_photos([photo])
    (entry,) = entries(cache)
    data = bytearray(entry.read_bytes())
    data[len(data) // 2] ^= 255
    entry.unlink()
    match damage:
        case "cut":
            entry.write_bytes(data[:1000])
        case "flipped":
            entry.write_bytes(data)
        case "empty":
            entry.touch()
        case "other":
            np.save(entry.open("wb"), np.zeros(3))
        case _:
            entry.mkdir()
    index = index_photos([photo])
    assert index.found == 1
    np.testing.assert_array_equal(index.photos[0].keypoints.records, whole.photos[0].keypoints.records)


def test_a_cache_that_cannot_be_written_to_stops_nothing(photo: Path, cache: Path) -> None:
    cache.write_text("a file")
    assert index_photos([photo]).found == index_photos([photo]).found == 1


def test_unreadable_files_are_named_and_left_out(photo: Path, tmp_path: Path) -> None:
    bad, cut, absent = tmp_path / "bad.png", tmp_path / "cut.jpg", tmp_path / "absent.jpg"
    bad.write_text("no picture")
    cut.write_bytes(photo.read_bytes()[:2000])
    index = index_photos([bad, photo, cut, absent])
    assert [one.path for one in index.photos] == [photo]
    assert list(index.unreadable) == [bad, cut, absent]
    assert all(reason.startswith(f"{path}: ") for path, reason in index.unreadable.items())


def test_keypoints_are_in_pixels_of_the_upright_photo(tmp_path: Path, aloe: Pixels) -> None:
    """Of a JPEG that is decoded at half its size, and stored turned."""
    height, width = aloe.shape[:2]
    large = Image.fromarray(aloe).resize((4 * width, 4 * height), Image.Resampling.BICUBIC)
    large.save(tmp_path / "upright.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    large.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    index = index_photos([tmp_path / "upright.png", tmp_path / "turned.jpg"])
    upright, turned = (one.keypoints for one in index.photos)
    assert upright.size == turned.size == (4 * width, 4 * height)
    distance = np.linalg.norm(upright.points[:, None] - turned.points, axis=-1).min(1)
    assert np.median(distance) < 2


def test_several_processes_find_the_same(tmp_path: Path, aloe: Pixels) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(16)]
    for number, path in enumerate(paths):
        Image.fromarray(aloe[8 * number : 8 * number + 64, :96]).save(path)
    alone = index_photos(paths)
    for path in paths:
        os.utime(path, (0, 0))  # so that the cache knows none of them
    shared = index_photos(paths, workers=2)
    assert shared.found == 16
    for one, other in zip(alone.photos, shared.photos, strict=True):
        assert one.path == other.path
        np.testing.assert_array_equal(one.keypoints.records, other.keypoints.records)


def test_it_can_be_cancelled(photo: Path) -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        index_photos([photo], progress=progress)


def test_entries_that_were_not_used_for_long_are_deleted_first(tmp_path: Path, cache: Path) -> None:
    files = []
    for number in range(3):
        photo = tmp_path / f"{number}.jpg"
        photo.touch()
        entry = CacheEntry(photo, "any")
        entry.write(Keypoints((8, 8), np.zeros(100, KEYPOINT)))
        os.utime(entry.file, (number, number))
        files.append(entry.file)
    assert CacheEntry(tmp_path / "0.jpg", "any").read() is not None  # the first becomes the last that was used
    assert CacheEntry(tmp_path / "1.jpg", "another").read() is None
    shrink_cache(2 * files[0].stat().st_size)
    assert entries(cache) == sorted([files[0], files[2]])
