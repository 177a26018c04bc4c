"""Which files make a group."""

from pathlib import Path

import pytest

from ttsr.data.cufed5 import list_groups
from ttsr.errors import DataError


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).touch()
    return folder


def test_groups_in_order_of_names_and_numbers(tmp_path: Path) -> None:
    make(
        tmp_path,
        "002_0.png",
        "001_10.png",
        "001_2.jpg",
        "001_0.JPEG",
        "001_1.png",
        "manifest.csv",
        "003_1.png",
    )
    first, second = list_groups(tmp_path)
    assert (first.name, first.hr.name) == ("001", "001_0.JPEG")
    assert [(number, path.name) for number, path in first.references.items()] == [
        (1, "001_1.png"),
        (2, "001_2.jpg"),
        (10, "001_10.png"),
    ]
    assert (second.name, second.references) == ("002", {})


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        list_groups(tmp_path / "nowhere")


def test_another_layout(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no NNN_0"):
        list_groups(make(tmp_path, "photo.png", "001_1.png"))


def test_two_files_for_one_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"001_1\.jpg and 001_1\.png"):
        list_groups(make(tmp_path, "001_0.png", "001_1.png", "001_1.jpg"))
