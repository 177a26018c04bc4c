from pathlib import Path

import pytest

from ttsr.errors import UserError
from ttsr.system.files import atomic_path, refuse_overwriting


def test_a_name_of_full_length_and_its_suffix(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 250 + ".json")
    with atomic_path(path) as temporary:
        assert (temporary.suffix, temporary.parent) == (".json", tmp_path)
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(KeyError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise KeyError
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_no_input_is_overwritten_by_whatever_name(tmp_path: Path) -> None:
    lr, other = tmp_path / "lr.png", tmp_path / "other.png"
    lr.touch()
    other.touch()
    symlink, hardlink = tmp_path / "symlink.png", tmp_path / "hardlink.png"
    symlink.symlink_to(lr)
    hardlink.hardlink_to(lr)
    (tmp_path / "sub").mkdir()
    for output in (lr, symlink, hardlink, tmp_path / "sub" / ".." / "lr.png"):
        with pytest.raises(UserError, match=rf"{output.name}: is the output and an input"):
            refuse_overwriting([tmp_path / "new.png", output], [other, lr])


def test_all_else_may_be_written(tmp_path: Path) -> None:
    lr, dangling, loop = tmp_path / "lr.png", tmp_path / "dangling.png", tmp_path / "loop.png"
    lr.touch()
    dangling.symlink_to(tmp_path / "absent.png")
    loop.symlink_to(loop)
    outputs = [tmp_path / "new.png", dangling, tmp_path / ("x" * 300)]
    refuse_overwriting(outputs, [lr, loop])
    assert sorted(tmp_path.iterdir()) == sorted([lr, dangling, loop])


def test_names_that_do_not_exist_yet_count(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is the output and an input"):
        refuse_overwriting([tmp_path / "x" / ".." / "new.png"], [tmp_path / "new.png"])
