import os
import re
from pathlib import Path

import pytest

from ttsr.errors import ImageError
from ttsr.images.folders import pictures_in


def test_pictures_in_a_folder(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", ".hidden.png", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in pictures_in(tmp_path).pictures] == ["a.jpg", "b.PNG"]
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ImageError, match="no pictures"):
        pictures_in(tmp_path / "nothing")
    with pytest.raises(ImageError, match="cannot be read"):
        pictures_in(tmp_path / "absent")


def test_sub_folders_where_asked_for(tmp_path: Path) -> None:
    for name in ("b/z.png", "a/deep/y.png", ".hidden/x.png", "c/.w.png", "v.png", "out/u.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    os.symlink(tmp_path / "b", tmp_path / "link")
    assert pictures_in(tmp_path).pictures == [tmp_path / "v.png"]
    found = pictures_in(tmp_path, recursive=True, without=tmp_path / "b" / ".." / "out").pictures
    assert [str(path.relative_to(tmp_path)) for path in found] == ["v.png", "a/deep/y.png", "b/z.png"]


def test_outputs_beside_what_they_are_made_of(tmp_path: Path) -> None:
    for name in ("a.jpg", "a_x4.png", "a_x4_x4.png", "b_x4.png", "sub/c.png", "sub_x4/c.png", "other_x4/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = pictures_in(tmp_path, is_output=re.compile("(.+)_x4"), recursive=True)
    names = [str(path.relative_to(tmp_path)) for path in found.pictures]
    assert names == ["a.jpg", "b_x4.png", "other_x4/d.png", "sub/c.png"]
    assert found.left_out == 2
