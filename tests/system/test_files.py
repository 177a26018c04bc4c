import os
import stat
from pathlib import Path

import pytest

from ttsr.errors import UserError
from ttsr.system.files import (
    atomic_path,
    refuse_leaving,
    refuse_overwriting,
    remove_unfinished,
    removed_at_end,
    temporary_folder,
)


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


@pytest.mark.parametrize("umask, mode", [(0o077, 0o600), (0o022, 0o644), (0, 0o666)])
def test_permissions_are_those_of_new_files_or_of_the_one_replaced(tmp_path: Path, umask: int, mode: int) -> None:
    path, private = tmp_path / "a.txt", tmp_path / "b.txt"
    private.touch()
    private.chmod(0o640)
    before = os.umask(umask)
    try:
        for target in (path, private):
            with atomic_path(target) as temporary:
                temporary.write_text("whole")
        with temporary_folder(tmp_path) as folder:
            assert stat.S_IMODE(folder.stat().st_mode) == 0o777 & ~umask
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert stat.S_IMODE(private.stat().st_mode) == 0o640


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    other, link = tmp_path / "other.txt", tmp_path / "link.txt"
    other.write_text("other")
    link.symlink_to(other)
    with atomic_path(link) as temporary:
        temporary.write_text("whole")
    assert (link.is_symlink(), link.read_text(), other.read_text()) == (False, "whole", "other")


def test_folders_and_pipes_are_not_replaced(tmp_path: Path) -> None:
    folder, pipe = tmp_path / "folder", tmp_path / "pipe"
    folder.mkdir()
    os.mkfifo(pipe)
    for path in (folder, pipe):
        with pytest.raises(OSError), atomic_path(path):
            raise AssertionError("refused before the work")
    assert sorted(tmp_path.iterdir()) == [folder, pipe] and pipe.is_fifo()


def test_what_a_signal_kept_from_being_removed(tmp_path: Path) -> None:
    file = atomic_path(tmp_path / "a.txt")
    file.__enter__().write_text("half")
    folder = temporary_folder(tmp_path)
    (folder.__enter__() / "b.txt").write_text("half")
    with removed_at_end(tmp_path / "c.txt") as path:
        path.touch()
    assert len(list(tmp_path.iterdir())) == 2
    remove_unfinished()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_vanishes_meanwhile(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "folder" / "a.txt"):
        pass
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "folder" / "a.txt") as temporary:
        temporary.unlink()
        (tmp_path / "folder").rmdir()
    assert list(tmp_path.iterdir()) == []


def test_links_out_of_a_folder(tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    for folder in (out / "sub", other):
        folder.mkdir(parents=True)
    (tmp_path / "link").symlink_to(out)
    (out / "inner.png").symlink_to("sub/a.png")
    (out / "outer.png").symlink_to(other / "a.png")
    (out / "away").symlink_to(other)
    for path in (out / "a.png", out / "sub" / "a.png", tmp_path / "link" / "a.png", out / "inner.png", out):
        refuse_leaving(path, out)
    refuse_leaving(out / "a.png", tmp_path / "link")
    for path in (out / "outer.png", out / "away" / "a.png", out / ".." / "a.png", tmp_path / "out2"):
        with pytest.raises(UserError, match="a link leads to"):
            refuse_leaving(path, out)
