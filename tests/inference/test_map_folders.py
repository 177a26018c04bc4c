"""Which folder the maps of each picture go to."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from ttsr.errors import UserError
from ttsr.inference.job_files import Job
from ttsr.inference.map_folders import FACTS, check_maps_folder, map_folders, prepare_maps


def folders(*sources: str) -> list[str]:
    jobs = [Job(Path(source), Path(f"out/{number}.png")) for number, source in enumerate(sources)]
    found = map_folders(jobs, Path("m"))
    return [found[job].as_posix() for job in jobs]


def test_each_picture_has_its_own() -> None:
    assert folders("a.jpg") == ["m/a"] == folders("/deep/down/a.jpg")
    assert folders("in/a.jpg", "in/b.png", "in/sub/a.jpg") == ["m/a", "m/b", "m/sub/a"]
    assert folders("one/a.jpg", "two/a.jpg") == ["m/one/a", "m/two/a"]
    assert folders("a.jpg", "a.png", "b.png", "a.b.png") == ["m/a.jpg", "m/a.png", "m/b", "m/a.b"]
    assert folders() == []


def test_the_same_picture_by_two_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert folders("a.jpg", str(tmp_path / "a.jpg"), "b.jpg") == ["m/a", "m/a", "m/b"]


def test_places_that_cannot_hold_maps(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for folder, message in (
        (file, "file: is a file, and maps need a folder"),
        (file / "below", "below: cannot be made, .*file is a file"),
        (Path("/proc/maps"), "maps cannot be written there"),
    ):
        with pytest.raises(UserError, match=message):
            check_maps_folder(folder)
    check_maps_folder(tmp_path / "not" / "yet")
    check_maps_folder(Path("relative/not/yet"))
    assert list(tmp_path.iterdir()) == [file]


def test_maps_of_another_picture_stay(tmp_path: Path) -> None:
    source, folder = tmp_path / "a.png", tmp_path / "maps" / "a"
    source.write_bytes(b"one")
    prepare_maps(folder, source)
    assert list(folder.iterdir()) == []
    facts = folder / FACTS
    facts.write_text(json.dumps({"input": {"sha256": sha256(b"one").hexdigest()}}))
    prepare_maps(folder, source)
    source.write_bytes(b"two")
    with pytest.raises(UserError, match="holds the maps of another picture"):
        prepare_maps(folder, source)
    for foreign in ("no JSON", "[]", '{"input": {}}'):
        facts.write_text(foreign)
        with pytest.raises(UserError, match="holds the maps of another picture"):
            prepare_maps(folder, source)
        assert facts.read_text() == foreign


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(UserError, match="a: the folder for maps cannot be made"):
        prepare_maps(tmp_path / "a", tmp_path / "a")
