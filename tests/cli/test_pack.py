"""`ttsr pack`."""

import resource
from pathlib import Path

import pytest
from cyclopts import App
from PIL import Image

from ttsr.cli.pack import pack
from ttsr.data.store import open_store
from ttsr.errors import DataError, UserError


@pytest.fixture
def source(photos: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes((photos / f"photo_{number}.png").read_bytes())
    return folder


def run(*arguments: object) -> None:
    app = App(result_action="return_value")
    app.default(pack)
    app([str(argument) for argument in arguments], exit_on_error=False, print_error=False)


def test_says_what_it_wrote_and_what_it_left_out(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (source / "bad.png").write_bytes(b"nothing")
    out = tmp_path / "p.zip"
    run(source, out, "--max-side", 64, "--quality", 80, "--webp")
    captured = capsys.readouterr()
    assert captured.out == f"{out}: 3 pictures, {out.stat().st_size / 1e6:.1f} MB, 1 left out\n"
    assert captured.err.count("\n") == 1 and "left out: " in captured.err and "bad.png" in captured.err
    store = open_store(out)
    assert store.names == ("0.webp", "1.webp", "2.webp") and store.picture("0.webp").size == (64, 48)


def test_only_the_first_of_many_are_named(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(25):
        (source / f"bad{number:02}.png").write_bytes(b"nothing")
    run(source, tmp_path / "p.zip")
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 21 and errors[-1].endswith("left out: 5 more")


def test_replaces_a_file_only_if_told(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.zip"
    out.write_bytes(b"mine")
    with pytest.raises(DataError, match="exists: name another file, or replace it with --overwrite"):
        run(source, out)
    assert out.read_bytes() == b"mine"
    run(source, out, "--overwrite")
    assert len(open_store(out).names) == 3
    with pytest.raises(UserError, match="is the output and an input"):
        run(out, out, "--overwrite")
    smaller = tmp_path / "smaller.zip"
    run(out, smaller, "--max-side", 40)
    assert open_store(smaller).picture("1.png").size == (40, 30)


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_no_photo_is_overwritten_by_another_name(link, source: Path, tmp_path: Path) -> None:
    before = (source / "1.png").read_bytes()
    out = tmp_path / "out.zip"
    link(out, source / "1.png")
    with pytest.raises(UserError, match=r"out\.zip: is the output and an input"):
        run(source, out, "--overwrite")
    assert (source / "1.png").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["none", "p.zip"], "no such folder"),
        (["photos", "p.tar"], r"name the packed file \.zip"),
        (["photos", "nowhere/p.zip"], "no such folder to write to"),
        (["photos", "folder.zip"], "is a folder"),
        (["photos", "p.zip", "--webp"], "add --quality"),
        (["photos", "p.zip", "--quality", "101"], "take 1 to 100"),
        (["photos", "p.zip", "--max-side", "3"], "take 16 or more"),
        (["photos", "p.zip", "--only-open"], r"no manifest\.csv"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    arguments: list[str], match: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.zip").mkdir()
    with pytest.raises(DataError, match=match) as caught:
        run(*arguments)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.zip", "photos"]


def test_a_full_disk_is_one_line_and_leaves_nothing(source: Path, tmp_path: Path) -> None:
    """Stood for by a limit on the length of files: writing fails in the middle, with another errno."""
    Image.open(source / "0.png").resize((640, 480)).save(source / "large.png")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(DataError, match=r"p\.zip: cannot be written \(File too large\)"):
            run(source, tmp_path / "p.zip")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
