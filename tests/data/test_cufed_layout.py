"""CUFED and CUFED5 are found as people have them: MMagic's layout, the authors', SRNTT's, and the ZIPs for download."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ttsr.data.cufed import CufedPairs
from ttsr.data.cufed5 import PackedPicture, list_groups
from ttsr.data.cufed_layout import open_training_set
from ttsr.data.packing import PackOptions, pack
from ttsr.data.pair_options import CufedOptions
from ttsr.data.store import open_store
from ttsr.errors import DataError
from ttsr.evaluation.scored_picture import read_reference

PAIRS = ["input/a.png", "input/b.png", "ref/a.png", "ref/b.png"]
TEST_SET = ["000_0.png", "000_1.png", "000_2.png", "001_0.png", "001_1.png"]
LAYOUTS = {
    "MMagic": ("", "CUFED5/"),
    "authors": ("train/", "test/CUFED5/"),
    "WTRN": ("train/", "test/"),
    "SRNTT": ("train/CUFED/", "test/CUFED5/"),
}


def pixels(name: str) -> np.ndarray:
    return np.random.default_rng(list(name.encode())).integers(0, 256, (24, 32, 3), np.uint8)


def write(folder: Path, below: str, names: list[str]) -> None:
    for name in names:
        path = folder / below / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(name)).save(path)


def zipped(folder: Path, out: Path, top: str = "") -> Path:
    """A ZIP as a download has it: deflated, with folders and with what macOS adds."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            archive.write(path, f"{top}{name.as_posix()}")
            archive.writestr(f"__MACOSX/{top}{name.with_name(f'._{name.name}').as_posix()}", b"resource fork")
    return out


def assert_pairs(data: Path) -> None:
    store = open_training_set(data)
    assert [name for name in store.names if name.startswith(("input/", "ref/"))] == PAIRS
    pairs = CufedPairs(data, CufedOptions(hr_size=24, ref_size=24, flips=False), seed=0)
    assert pairs.pairs == [("input/a.png", "ref/a.png"), ("input/b.png", "ref/b.png")]
    for name in PAIRS:
        assert np.array_equal(store.picture(name).rgb, pixels(name))
        assert np.array_equal(pickle.loads(pickle.dumps(store)).picture(name).rgb, pixels(name))
        assert store.shown(name).startswith(str(data)) and store.shown(name).endswith(Path(name).name)


def assert_test_set(data: Path) -> None:
    groups = list_groups(data)
    assert [(group.name, list(group.references)) for group in groups] == [("000", [1, 2]), ("001", [1])]
    for group in groups:
        for picture in (group.hr, *group.references.values()):
            assert np.array_equal(read_reference(picture), pixels(picture.name))
            assert str(picture).startswith(str(data)) and str(picture).endswith(picture.name)
    assert all(file.is_file() for group in groups for file in group.files)


@pytest.mark.parametrize("top", ["", "CUFED/", "data/CUFED/"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_found_in_every_layout_as_a_folder_and_as_a_zip(layout: str, top: str, tmp_path: Path) -> None:
    training, test = (f"{top}{part}" for part in LAYOUTS[layout])
    data = tmp_path / "set"
    write(data, training, PAIRS)
    write(data, test, TEST_SET)
    (data / ".DS_Store").touch()
    file = zipped(data, tmp_path / "CUFED.zip")
    for place in (data, file):
        assert_pairs(place)
        assert_test_set(place)


def test_the_parts_alone(tmp_path: Path) -> None:
    write(tmp_path / "pairs", "", PAIRS)
    write(tmp_path / "test", "", TEST_SET)
    for top in ("", "CUFED/"):
        assert_pairs(zipped(tmp_path / "pairs", tmp_path / "p.zip", top))
    for top in ("", "CUFED5/"):
        assert_test_set(zipped(tmp_path / "test", tmp_path / "t.zip", top))
    assert isinstance(list_groups(tmp_path / "t.zip")[0].hr, PackedPicture)
    assert list_groups(tmp_path / "t.zip")[0].files == [tmp_path / "t.zip"] * 3


@pytest.mark.parametrize("prefix", ["", "CUFED_"])
@pytest.mark.parametrize("is_flat", [False, True])
@pytest.mark.parametrize("below", ["", "train"])
def test_a_folder_of_the_downloaded_zips(below: str, is_flat: bool, prefix: str, tmp_path: Path) -> None:
    write(tmp_path / "raw", "", PAIRS)
    write(tmp_path / "test", "", TEST_SET)
    data = tmp_path / "CUFED"
    (data / below).mkdir(parents=True)
    for side in ("input", "ref"):
        zipped(tmp_path / "raw" / side, data / below / f"{prefix}{side}.zip", "" if is_flat else f"{side}/")
    zipped(tmp_path / "test", data / "CUFED5.zip", "" if is_flat else "CUFED5/")
    zipped(tmp_path / "raw" / "ref", data / "references.zip")  # of another name
    assert_pairs(data)
    assert_test_set(data)


def test_packing_finds_the_pairs_too(tmp_path: Path) -> None:
    write(tmp_path / "set", "CUFED/train", PAIRS)
    write(tmp_path / "set", "CUFED/test/CUFED5", TEST_SET)
    pack(open_store(tmp_path / "set"), tmp_path / "p.zip", PackOptions())
    assert list(open_store(tmp_path / "p.zip").names) == PAIRS


def test_photos_in_folders_named_like_the_layout_are_photos(tmp_path: Path) -> None:
    write(tmp_path / "set", "holiday/ref", ["a.png", "b.png"])
    pack(open_store(tmp_path / "set"), tmp_path / "p.zip", PackOptions())
    assert list(open_store(tmp_path / "p.zip").names) == ["holiday/ref/a.png", "holiday/ref/b.png"]


def test_what_is_missing_says_where_it_is_to_be_had(tmp_path: Path) -> None:
    write(tmp_path / "photos", "", ["a.png"])
    for place, what in ((tmp_path / "none", "no such folder"), (tmp_path / "photos", "not a CUFED data set")):
        with pytest.raises(DataError, match=rf"{what}.*CUFED is at https://drive\.google\.com/drive/folders/"):
            open_training_set(place)
    for place, what in ((tmp_path / "none", "no such folder"), (tmp_path / "photos", "there is no NNN_0")):
        with pytest.raises(DataError, match=rf"{what}.*CUFED5 is at https://drive\.google\.com/file/d/"):
            list_groups(place)
    assert zipped(tmp_path / "photos", tmp_path / "photos.zip")
    with pytest.raises(DataError, match=r"photos\.zip: not in the layout of CUFED5"):
        list_groups(tmp_path / "photos.zip")


def test_a_damaged_picture_of_a_zip_is_named(tmp_path: Path) -> None:
    write(tmp_path / "set", "CUFED5", TEST_SET)
    (tmp_path / "set/CUFED5/001_1.png").write_bytes(b"nothing")
    groups = list_groups(zipped(tmp_path / "set", tmp_path / "t.zip"))
    with pytest.raises(ValueError, match=r"t\.zip/CUFED5/001_1\.png: not a picture"):
        read_reference(groups[1].references[1])
