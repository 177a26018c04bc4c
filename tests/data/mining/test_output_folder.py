"""The folder that pairs are written to."""

from pathlib import Path

import pytest

from ttsr.data.mining.output_folder import atomic_folder
from ttsr.errors import DataError
from ttsr.system.files import TEMPORARY


def fill(temporary: Path) -> None:
    (temporary / "input").mkdir()
    (temporary / "input" / "0.png").write_text("pixels")
    (temporary / "manifest.csv").write_text("rows")


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


def test_a_new_folder_is_written_beside_and_renamed(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with atomic_folder(out, photos) as temporary:
        assert temporary.parent == tmp_path and not out.exists()
        fill(temporary)
    assert names(out) == ["input", "input/0.png", "manifest.csv"]
    assert names(tmp_path) == ["out", *(f"out/{name}" for name in names(out)), "photos"]
    assert out.stat().st_mode == photos.stat().st_mode


@pytest.mark.parametrize("by_a_link", [False, True])
def test_an_empty_folder_is_kept_and_filled(by_a_link: bool, photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(0o700)
    out = folder
    if by_a_link:
        out = tmp_path / "link"
        out.symlink_to(folder, target_is_directory=True)
    inode = folder.stat().st_ino
    with atomic_folder(out, photos) as temporary:
        assert temporary.parent == folder and temporary.name.startswith(TEMPORARY)
        fill(temporary)
    assert names(folder) == ["input", "input/0.png", "manifest.csv"]
    assert (folder.stat().st_ino, out.is_symlink()) == (inode, by_a_link)


@pytest.mark.parametrize("exists", [False, True])
def test_a_failure_leaves_nothing(exists: bool, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    if exists:
        out.mkdir()
    with pytest.raises(KeyError), atomic_folder(out, photos) as temporary:
        fill(temporary)
        raise KeyError
    assert names(tmp_path) == (["out", "photos"] if exists else ["photos"])


def test_files_that_appear_meanwhile_are_not_replaced(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(DataError, match=r"manifest\.csv: appeared"), atomic_folder(out, photos) as temporary:
        fill(temporary)
        (out / "manifest.csv").write_text("mine")
    assert names(out) == ["manifest.csv"]
    assert (out / "manifest.csv").read_text() == "mine"
