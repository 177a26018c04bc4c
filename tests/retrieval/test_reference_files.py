import os
from pathlib import Path

import pytest

from ttsr.errors import ImageError
from ttsr.retrieval.reference_files import ReferenceFiles, list_references


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def candidates(*names: str, recursive: bool = False) -> list[str]:
    return [path.as_posix() for path in list_references(names, recursive=recursive).candidates]


def test_files_are_named_and_photos_of_folders_are_candidates() -> None:
    touch("photos/b.jpg", "photos/a.PNG", "photos/.hidden.jpg", "photos/notes.txt", "photos/sub/c.jpg", "sharp.jpg")
    files = list_references(["sharp.jpg", "photos", "missing.jpg"])
    assert files.named == (Path("sharp.jpg"), Path("missing.jpg")) and files.searched == (Path("photos"),)
    assert candidates("sharp.jpg", "photos") == ["photos/a.PNG", "photos/b.jpg"]
    assert candidates("photos", recursive=True) == ["photos/a.PNG", "photos/b.jpg", "photos/sub/c.jpg"]
    assert list_references([]) == ReferenceFiles()


def test_a_pattern_stands_for_the_pictures_and_folders_that_it_matches() -> None:
    touch(
        "photos/b.jpg", "photos/a.png", "photos/.hidden.jpg", "photos/notes.txt", "photos/sub/c.jpg", "photos/d/x.txt"
    )
    assert candidates("photos/*.jpg") == ["photos/b.jpg"]
    assert candidates("photos/*") == ["photos/a.png", "photos/b.jpg", "photos/sub/c.jpg"]
    assert candidates("photos/**/*.jpg") == ["photos/b.jpg", "photos/sub/c.jpg"]
    assert candidates("photos/[ab].*", "photos/b*") == ["photos/a.png", "photos/b.jpg"]
    with pytest.raises(ImageError, match="no picture matches this pattern"):
        list_references(["photos/*.tif"])


def test_a_file_with_brackets_in_its_name_is_no_pattern() -> None:
    touch("photo[1].jpg", "photo1.jpg")
    assert list_references(["photo[1].jpg"]).named == (Path("photo[1].jpg"),)
    assert candidates("photo[12].jpg") == ["photo1.jpg"]


def test_a_named_file_is_no_candidate_too_and_links_are_followed() -> None:
    touch("photos/a.jpg", "photos/b.jpg", "photos/c.jpg")
    os.symlink(Path("photos/a.jpg").absolute(), "link.jpg")
    os.link("photos/c.jpg", "hard.jpg")
    files = list_references(["link.jpg", "photos", "hard.jpg"])
    assert files.named == (Path("link.jpg"), Path("hard.jpg")) and files.candidates == (Path("photos/b.jpg"),)
    assert files.without([Path("photos/../photos/b.jpg")]).candidates == ()


def test_results_and_maps_are_no_candidates() -> None:
    touch("photos/a.jpg", "photos/a_x4.png", "photos/b_x4.png", "photos/maps/relevance.png")
    touch("photos/maps/provenance.json", "photos/other/relevance.png")
    names = ["photos/a.jpg", "photos/b_x4.png", "photos/other/relevance.png"]
    assert candidates("photos", recursive=True) == names


@pytest.mark.parametrize("name", ["empty", "none/*"])
def test_where_there_are_no_pictures_it_is_said(name: str) -> None:
    for folder in ("empty", "none/sub"):
        Path(folder).mkdir(parents=True)
    with pytest.raises(ImageError, match="no picture"):
        list_references([name])
