"""`ttsr pairs`, through the command line."""

import csv
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ttsr.cli import main
from ttsr.data.cufed import CufedPairs
from ttsr.data.pair_options import CufedOptions
from ttsr.data.store import open_store

EXAMPLES = Path(__file__).parents[2] / "examples" / "pairs"
NAMES = ("aloe_hr.png", "aloe_ref.png", "leuven_hr.png", "leuven_ref.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two views each of two things."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in NAMES:
        shutil.copy(EXAMPLES / name, photos)
    return photos


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "manifest.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


def box(row: dict[str, str], which: str) -> tuple[int, ...]:
    return tuple(int(row[f"{which}_{side}"]) for side in ("left", "top", "width", "height"))


def test_photos_of_one_thing_become_pairs(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "broken <b>&.png").write_bytes((folder / "aloe_hr.png").read_bytes()[:999])
    Image.new("RGB", (200, 90)).save(folder / "small.png")
    before = files(folder)
    out = tmp_path / "made"
    assert main(["pairs", str(folder), str(out), "--workers", "1", "--size", "128"]) == 0
    assert files(folder) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "photos"]
    assert sorted(path.name for path in out.iterdir()) == ["input", "manifest.csv", "ref", "report.html"]
    printed = capsys.readouterr()
    assert "4 photos (1 unreadable, 1 too small left out)" in printed.out
    assert "6 photo pairs compared, 2 show the same thing" in printed.out
    assert "broken" in printed.err and printed.err.count("\n") == 1

    cut = rows(out)
    assert {row["input"] for row in cut} == set(NAMES)
    for row in cut:
        assert row["input"].split("_")[0] == row["reference"].split("_")[0]
        assert row["input"] != row["reference"]
        assert 0.5 <= float(row["overlap"]) <= 1
        for which, side in (("input", "input"), ("reference", "ref")):
            left, top, width, height = box(row, which)
            photo = Image.open(folder / row[which])
            assert 0 <= left <= photo.width - width and 0 <= top <= photo.height - height
            written = np.asarray(Image.open(out / side / row["name"]))
            assert written.shape == (128, 128, 3)
            if width == 128:
                assert np.array_equal(written, np.asarray(photo)[top : top + 128, left : left + 128])
    pairs = CufedPairs(out, CufedOptions(hr_size=128, ref_size=128), seed=0)
    assert len(pairs.pairs) == len(cut) == len(list((out / "ref").iterdir()))
    assert (pairs[0].hr.shape, pairs[0].skipped) == ((128, 128, 3), ())

    page = (out / "report.html").read_text()
    assert page.count('<section class="picture"') == len(cut)
    assert page.count('src="data:image/webp;base64,') == page.count("<figure>") == 4 * len(cut)
    assert "broken &lt;b&gt;&amp;.png" in page and "<b>&.png" not in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)


def test_overlap_is_what_the_photos_say(tmp_path: Path) -> None:
    """Two photos of a wall that differ by a known shift and by what stands before it, so that none is a copy."""
    photos = tmp_path / "photos"
    photos.mkdir()
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (60, 80, 3), np.uint8))
    wall = np.asarray(coarse.resize((480, 360), Image.Resampling.BICUBIC))
    left, right = wall[:, :360].copy(), wall[:, 120:].copy()
    right[:120] = right[:120, ::-1]
    Image.fromarray(left).save(photos / "left.png")
    Image.fromarray(right).save(photos / "right.png")
    out = tmp_path / "out"
    arguments = ["--size", "96", "--min-overlap", "0.4", "--per-pair", "12", "--workers", "1"]
    assert main(["pairs", str(photos), str(out), *arguments]) == 0
    cut = rows(out)
    for row in cut:
        shift = -120 if row["input"] == "left.png" else 120
        here, there = box(row, "input"), box(row, "reference")
        shared = [
            max(0, 96 - abs(here[0] + shift - there[0])),
            max(0, 96 - abs(here[1] - there[1])),
        ]
        assert float(row["overlap"]) == pytest.approx(shared[0] * shared[1] / 96**2, abs=0.05)
        assert float(row["scale"]) == pytest.approx(1, abs=0.02)
        assert float(row["rotation"]) == pytest.approx(0, abs=1)
    assert {row["input"] for row in cut} == {"left.png", "right.png"}
    assert min(float(row["overlap"]) for row in cut) < 0.95


def test_the_files_are_the_same_whatever_the_workers(folder: Path, tmp_path: Path) -> None:
    made = []
    for name, workers, seed in (("one", 1, 0), ("two", 2, 0), ("other", 1, 1)):
        options = ["--workers", str(workers), "--seed", str(seed)]
        assert main(["pairs", str(folder), str(tmp_path / name), *options]) == 0
        made.append(files(tmp_path / name))
    assert made[0] == made[1]
    assert made[0] != made[2]


def test_at_most_so_many_pairs_into_an_empty_folder(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert main(["pairs", str(folder), str(out), "--workers", "1", "--max-pairs", "3"]) == 0
    assert len(rows(out)) == len(list((out / "input").iterdir())) == 3


def test_into_the_folder_that_the_user_stands_in(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays that folder, as a mount point must, and gets nothing but the result."""
    out = tmp_path / "out"
    out.mkdir()
    inode = out.stat().st_ino
    monkeypatch.chdir(out)
    assert main(["pairs", "../photos", ".", "--workers", "1", "--max-pairs", "2"]) == 0
    assert out.stat().st_ino == inode
    assert sorted(path.name for path in Path().iterdir()) == ["input", "manifest.csv", "ref", "report.html"]
    assert len(rows(out)) == 2


def test_pairs_of_photos_whose_names_are_no_utf8_can_be_packed(folder: Path, tmp_path: Path) -> None:
    (folder / "aloe_hr.png").rename(folder / "alo\udce9.png")
    out, packed = tmp_path / "out", tmp_path / "out.zip"
    assert main(["pairs", str(folder), str(out), "--workers", "1", "--max-pairs", "2"]) == 0
    assert {name for row in rows(out) for name in (row["input"], row["reference"])} == {
        "alo\\udce9.png",
        "aloe_ref.png",
    }
    assert main(["pack", str(out), str(packed)]) == 0
    assert open_store(packed).text("manifest.csv") == (out / "manifest.csv").read_text()


def test_copies_of_a_photo_are_no_references(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("leuven_hr.png", "leuven_ref.png", "aloe_ref.png"):
        (folder / name).unlink()
    photo = Image.open(folder / "aloe_hr.png")
    photo.save(folder / "again.jpg", quality=80)
    out = tmp_path / "out"
    assert main(["pairs", str(folder), str(out), "--workers", "1"]) == 2
    assert "the only photo pairs that match (1) are copies of one photo" in capsys.readouterr().err
    shutil.copy(EXAMPLES / "aloe_ref.png", folder)
    assert main(["pairs", str(folder), str(out), "--workers", "1"]) == 0
    assert "1 of them copies of one photo" in capsys.readouterr().out
    assert all("aloe_ref.png" in (row["input"], row["reference"]) for row in rows(out))
    assert "again.jpg and aloe_hr.png" in (out / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "out"], "nowhere: no such folder"),
        (["empty", "out"], "empty: holds no pictures"),
        (["photos", "used"], "used: exists already"),
        (["photos", "photos/aloe_hr.png"], "aloe_hr.png: exists already"),
        (["photos", "photos/out"], "photos/out: lies in photos"),
        (["photos", "photos/../photos/out"], "lies in photos"),
        (["photos", "nowhere/out"], "there is no folder nowhere"),
        (["photos", "out", "--size", "90"], "size 90"),
        (["photos", "out", "--size", "400"], "0 of the pictures can be used"),
        (["photos", "out", "--min-overlap", "0"], "min_overlap 0"),
        (["photos", "out", "--per-pair", "0"], "per_pair 0"),
        (["photos", "out", "--longest-side", "100"], "longest_side 100"),
        (["photos", "out", "--workers", "0"], "workers 0"),
        (["others", "out"], "no two of its 2 photos show the same thing (1 photo pairs compared"),
        (["bad", "out"], "2 cannot be read, such as bad/a.png"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    arguments: list[str],
    message: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder.parent)
    for name in ("empty", "used", "others", "bad"):
        Path(name).mkdir()
    Path("used/a.txt").write_text("kept")
    for name in ("aloe_hr.png", "leuven_hr.png"):
        shutil.copy(folder / name, "others")
    for name in ("bad/a.png", "bad/b.png"):
        Path(name).write_bytes(b"no picture")
    before = files(folder.parent), sorted(folder.parent.iterdir())
    options = [] if "--workers" in arguments else ["--workers", "1"]
    assert main(["pairs", *arguments, *options]) == 2
    assert (files(folder.parent), sorted(folder.parent.iterdir())) == before
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
