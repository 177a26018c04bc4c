"""The folder that pairs are made in."""

from pathlib import Path

import pytest

from ttsr.data.mining.output_folder import made_whole
from ttsr.errors import DataError


def fill(made: Path) -> None:
    (made / "input").mkdir()
    (made / "input" / "0.png").write_text("pixels")
    (made / "manifest.csv").write_text("rows")


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


def test_a_new_folder_is_made_beside_and_takes_its_name(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with made_whole(out, photos) as made:
        assert made.parent == tmp_path and not out.exists()
        fill(made)
    assert names(out) == ["input", "input/0.png", "manifest.csv"]
    assert names(tmp_path) == ["out", *(f"out/{name}" for name in names(out)), "photos"]
    assert out.stat().st_mode == photos.stat().st_mode


@pytest.mark.parametrize("by_a_link", [False, True])
def test_an_empty_folder_stays_and_is_filled(by_a_link: bool, photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(0o700)
    out = folder
    if by_a_link:
        out = tmp_path / "link"
        out.symlink_to(folder, target_is_directory=True)
    inode = folder.stat().st_ino
    with made_whole(out, photos) as made:
        assert made.parent == folder and made.name.startswith(".ttsr-pairs-")
        fill(made)
    assert names(folder) == ["input", "input/0.png", "manifest.csv"]
    assert (folder.stat().st_ino, out.is_symlink()) == (inode, by_a_link)


@pytest.mark.parametrize("is_there", [False, True])
def test_a_failure_leaves_nothing(is_there: bool, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    if is_there:
        out.mkdir()
    with pytest.raises(KeyError), made_whole(out, photos) as made:
        fill(made)
        raise KeyError
    assert names(tmp_path) == (["out", "photos"] if is_there else ["photos"])


def test_what_came_meanwhile_is_not_replaced(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(DataError, match=r"manifest\.csv: came to be"), made_whole(out, photos) as made:
        fill(made)
        (out / "manifest.csv").write_text("mine")
    assert names(out) == ["manifest.csv"]
    assert (out / "manifest.csv").read_text() == "mine"
