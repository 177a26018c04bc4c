"""Packed files hold what the folder held."""

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ttsr.data.crops import Pixels8
from ttsr.data.cufed import CufedPairs
from ttsr.data.packing import PackOptions, pack
from ttsr.data.pair_options import CufedOptions, PhotosOptions
from ttsr.data.photos import PhotoPairs
from ttsr.data.store import open_store
from ttsr.errors import DataError
from ttsr.progress import Cancelled, Progress

COLUMNS = ("file", "open", "group", "width", "height")


def same(one: Pixels8 | None, other: Pixels8 | None) -> bool:
    return one is not None and other is not None and np.array_equal(one, other)


@pytest.fixture
def photos_with_manifest(photos: Path, tmp_path: Path) -> Path:
    """Four photos of 160x120, of which one is broken and one is not open; a picture that the manifest does not list."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes((photos / f"photo_{number}.png").read_bytes())
    Image.open(folder / "2.png").save(folder / "2.jpg", quality=90)
    (folder / "2.png").unlink()
    (folder / "broken.png").write_bytes((folder / "0.png").read_bytes()[:5000])
    (folder / "unlisted.png").write_bytes((folder / "0.png").read_bytes())
    rows = [("0.png", "yes", "a"), ("2.jpg", "yes", "a"), ("broken.png", "yes", ""), ("1.png", "no", "")]
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *((*row, "160", "120") for row in rows)])
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(open_store(path).text("manifest.csv"))))


def test_photos_as_they_are(photos_with_manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.zip"
    fractions: list[float] = []
    progress = Progress(lambda fraction, stage: fractions.append(fraction))
    packed = pack(open_store(photos_with_manifest), out, PackOptions(), progress)
    assert packed.num_pictures == 3 and packed.num_bytes == out.stat().st_size and fractions[-1] == 1
    (reason,) = packed.skipped
    assert "broken.png" in reason and "cut off" in reason
    with zipfile.ZipFile(out) as archive:
        assert sorted(archive.namelist()) == ["0.png", "1.png", "2.jpg", "manifest.csv"]
        assert archive.testzip() is None
        for name in ("0.png", "1.png", "2.jpg"):
            assert archive.read(name) == (photos_with_manifest / name).read_bytes()
    assert [(row["file"], row["group"]) for row in rows_of(out)] == [("0.png", "a"), ("2.jpg", "a"), ("1.png", "")]
    pack(open_store(photos_with_manifest), tmp_path / "again.zip", PackOptions())
    assert (tmp_path / "again.zip").read_bytes() == out.read_bytes()


def test_cancelled_it_leaves_nothing(photos_with_manifest: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        pack(open_store(photos_with_manifest), tmp_path / "p.zip", PackOptions(), progress)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("only_open", [False, True])
def test_pairs_of_a_packed_file_are_those_of_the_folder(
    only_open: bool, photos_with_manifest: Path, tmp_path: Path
) -> None:
    out = tmp_path / "p.zip"
    pack(open_store(photos_with_manifest), out, PackOptions(only_open=only_open))
    options = PhotosOptions(
        hr_size=32, ref_size=32, only_open=only_open, group_share=1.0, unrelated_share=0.2, min_correlation=-1.0
    )
    first, second = (PhotoPairs(path, options, 5) for path in (photos_with_manifest, out))
    assert len(first.photos) == len(second.photos) == (2 if only_open else 3)
    assert first.others == second.others and any(first.others)
    assert len(first.skipped) == 1 and second.skipped == ()
    for number in range(20):
        one, other = first[number], second[number]
        assert np.array_equal(one.hr, other.hr) and same(one.ref, other.ref)
        assert (one.to_ref is None) == (other.to_ref is None)


def test_scaled_down_and_encoded_anew(photos_with_manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.zip"
    pack(open_store(photos_with_manifest), out, PackOptions(max_side=80, quality=60))
    assert [(r["file"], r["width"], r["height"]) for r in rows_of(out)] == [
        ("0.jpg", "80", "60"),
        ("2.jpg", "80", "60"),
        ("1.jpg", "80", "60"),
    ]
    store = open_store(out)
    original = Image.open(photos_with_manifest / "0.png").resize((80, 60), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    original.save(file, "JPEG", quality=60, subsampling=0, optimize=True)
    assert store.read("0.jpg") == file.getvalue()
    pack(open_store(photos_with_manifest), out, PackOptions(quality=60, codec="webp"))
    assert open_store(out).names == ("0.webp", "1.webp", "2.webp")
    assert Image.open(io.BytesIO(open_store(out).read("0.webp"))).format == "WEBP"


def test_without_a_quality_only_large_pictures_change(photos_with_manifest: Path, tmp_path: Path) -> None:
    small = Image.open(photos_with_manifest / "1.png").crop((0, 0, 80, 70))
    small.save(photos_with_manifest / "1.png")
    out = tmp_path / "p.zip"
    pack(open_store(photos_with_manifest), out, PackOptions(max_side=80))
    store = open_store(out)
    assert store.names == ("0.png", "1.png", "2.jpg")
    assert store.read("1.png") == (photos_with_manifest / "1.png").read_bytes()
    original = Image.open(photos_with_manifest / "0.png").resize((80, 60), Image.Resampling.LANCZOS)
    assert np.array_equal(store.picture("0.png").rgb, np.asarray(original))
    assert Image.open(io.BytesIO(store.read("2.jpg"))).format == "JPEG"


@pytest.mark.parametrize("encode", [PackOptions(), PackOptions(quality=90, codec="webp")])
def test_cufed_pairs_stay_pairs(encode: PackOptions, cufed: Path, tmp_path: Path) -> None:
    (cufed / "ref" / "3.png").write_bytes(b"nothing")
    (cufed / "ref" / "without-input.png").write_bytes(b"never read")
    packed = pack(open_store(cufed), tmp_path / "c.zip", encode)
    assert packed.num_pictures == 10 and len(packed.skipped) == 1
    pairs = CufedPairs(tmp_path / "c.zip", CufedOptions(hr_size=40, ref_size=40), 0)
    assert [Path(first).stem for first, _ in pairs.pairs] == ["0", "1", "2", "4", "5"]
    assert pairs[3].skipped == ()


def test_cufed_pairs_of_a_packed_file_are_those_of_the_folder(cufed: Path, tmp_path: Path) -> None:
    pack(open_store(cufed), tmp_path / "c.zip", PackOptions())
    options = CufedOptions(hr_size=40, ref_size=48, mask_padding=True)
    first, second = (CufedPairs(path, options, 3) for path in (cufed, tmp_path / "c.zip"))
    for number in range(12):
        for name in ("hr", "lr", "lr_up", "ref", "ref_blur", "ref_mask"):
            assert np.array_equal(getattr(first[number], name), getattr(second[number], name))


def test_the_manifest_of_pairs_follows_them(cufed: Path, tmp_path: Path) -> None:
    (cufed / "ref" / "3.png").write_bytes(b"nothing")
    text = "name,input,input_left\n" + "".join(f"{number}.png,IMG_{number}.jpg,7\n" for number in range(6))
    (cufed / "manifest.csv").write_text(text)
    pack(open_store(cufed), tmp_path / "as_is.zip", PackOptions())
    assert open_store(tmp_path / "as_is.zip").text("manifest.csv") == text.replace("3.png,IMG_3.jpg,7\n", "")
    pack(open_store(cufed), tmp_path / "anew.zip", PackOptions(quality=90))
    store = open_store(tmp_path / "anew.zip")
    assert [(row["name"], row["input"]) for row in rows_of(tmp_path / "anew.zip")] == [
        (f"{number}.jpg", f"IMG_{number}.jpg") for number in (0, 1, 2, 4, 5)
    ]
    assert all(store.holds(f"{side}/{row['name']}") for row in rows_of(store.files()[0]) for side in ("input", "ref"))
    (cufed / "manifest.csv").write_text("something,else\n")
    pack(open_store(cufed), tmp_path / "other.zip", PackOptions(quality=90))
    assert open_store(tmp_path / "other.zip").text("manifest.csv") == "something,else\n"


@pytest.mark.parametrize(("side", "other"), [("input", "ref"), ("ref", "input")])
def test_half_of_a_cufed_set_is_no_photos(side: str, other: str, cufed: Path, tmp_path: Path) -> None:
    for file in (cufed / side).iterdir():
        file.unlink()
    with pytest.raises(DataError, match=rf"no pictures in {side}/, 6 beside it"):
        pack(open_store(cufed), tmp_path / "p.zip", PackOptions())
    (cufed / side).rmdir()
    with pytest.raises(DataError, match=rf"no pictures in {side}/, 6 beside it"):
        pack(open_store(cufed), tmp_path / "p.zip", PackOptions())
    assert [path.name for path in tmp_path.iterdir()] == ["cufed"]


def test_a_suffix_that_is_no_pictures_is_no_matter(photos_with_manifest: Path, tmp_path: Path) -> None:
    folder = photos_with_manifest
    (folder / "2.jpg").rename(folder / "2.jfif")
    (folder / "manifest.csv").write_text("file\n2.jfif\n0.png\n")
    for options, name in ((PackOptions(), "2.jfif"), (PackOptions(quality=90), "2.jpg"), (PackOptions(80), "2.png")):
        pack(open_store(folder), tmp_path / "p.zip", options)
        assert rows_of(tmp_path / "p.zip")[0]["file"] == name
        assert len(PhotoPairs(tmp_path / "p.zip", PhotosOptions(hr_size=32, ref_size=32), 0).photos) == 2


@pytest.mark.parametrize("name", ["{}/../out.png", "../photos/../out.png", "/{}/out.png"])
def test_nothing_from_beyond_the_folder(name: str, photos_with_manifest: Path, tmp_path: Path) -> None:
    (photos_with_manifest / "0.png").rename(tmp_path / "out.png")
    (photos_with_manifest / "manifest.csv").write_text(f"file\n{name.format(tmp_path)}\n")
    with pytest.raises(DataError, match="line 2 names"):
        pack(open_store(photos_with_manifest), tmp_path / "p.zip", PackOptions())
    assert not (tmp_path / "p.zip").exists()


def test_any_name_that_a_zip_can_hold(photos_with_manifest: Path, tmp_path: Path) -> None:
    folder = tmp_path / "named"
    folder.mkdir()
    data = (photos_with_manifest / "0.png").read_bytes()
    names = ["Screenshot at 9.41\u202fAM.png", "\U0001f469\u200d\U0001f467.png", "two\nlines.png", "ä.png"]
    for name in (*names, "\udcff.png"):
        (folder / name).write_bytes(data)
    packed = pack(open_store(folder), tmp_path / "p.zip", PackOptions())
    assert open_store(tmp_path / "p.zip").names == tuple(sorted(names))
    assert len(packed.skipped) == 1 and "\\udcff.png': not a name for a packed file" in packed.skipped[0]
    packed.skipped[0].encode()
    (folder / "manifest.csv").write_text("file\nä.png\n\0.png\n")
    packed = pack(open_store(folder), tmp_path / "p.zip", PackOptions())
    assert packed.num_pictures == 1 and "\\x00.png': not a name" in packed.skipped[0]


def test_names_that_would_meet_are_refused(photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    for suffix in ("png", "jpg"):
        Image.open(photos / "photo_0.png").save(folder / f"x.{suffix}")
    with pytest.raises(DataError, match=r"x\.jpg and x\.png would both become x\.jpg"):
        pack(open_store(folder), tmp_path / "p.zip", PackOptions(quality=80))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p"]


def test_nothing_usable_is_refused_and_nothing_left_behind(tmp_path: Path, cufed: Path) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    with pytest.raises(DataError, match="no pictures in it"):
        pack(open_store(folder), tmp_path / "p.zip", PackOptions())
    (folder / "a.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"none of its pictures can be used; the first: .*a\.png"):
        pack(open_store(folder), tmp_path / "p.zip", PackOptions())
    with pytest.raises(DataError, match=r"no manifest\.csv to tell"):
        pack(open_store(folder), tmp_path / "p.zip", PackOptions(only_open=True))
    with pytest.raises(DataError, match="no manifest tells"):
        pack(open_store(cufed), tmp_path / "p.zip", PackOptions(only_open=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "cufed"]
