"""`manifest.csv`."""

from pathlib import Path

import pytest

from ttsr.data.manifest import manifest_text, open_rows, read_manifest, read_pair_manifest
from ttsr.data.store import open_store
from ttsr.errors import DataError


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    rows = [{"file": "a, b.png", "open": "yes"}, {"file": 'quote".png', "open": "no", "group": "two\nlines"}]
    (tmp_path / "manifest.csv").write_text(manifest_text(rows), newline="")
    read = read_manifest(open_store(tmp_path))
    assert read == [rows[0] | {"group": ""}, rows[1]]
    assert read is not None and open_rows(read, open_store(tmp_path)) == read[:1]
    (tmp_path / "manifest.csv").unlink()
    assert read_manifest(open_store(tmp_path)) is None


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "no column `file`"),
        ("name,open\na.png,yes\n", "no column `file`"),
        ("file,open\na.png,yes\n,yes\n", "line 3 names no file"),
        ("open,file\nyes,a.png\nyes\n", "line 3 names no file"),
        ("file\n../x.png\n", r"line 2 names '\.\./x\.png': names are relative"),
        ("file\na.png\na/../../x.png\n", "line 3 names"),
        ("file\n/etc/x.png\n", "line 2 names"),
        ("file\n..\\x.png\n", "line 2 names"),
        ("file\nC:\\x.png\n", "line 2 names"),
        ('file\n"' + "x" * 200_000, "not CSV after line 1"),
    ],
)
def test_a_manifest_that_cannot_be_understood_is_named(text: str, match: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(DataError, match=rf"{tmp_path}/manifest\.csv: {match}") as caught:
        read_manifest(open_store(tmp_path))
    assert "\n" not in str(caught.value)


def test_pairs_are_not_taken_for_photos(cufed: Path) -> None:
    (cufed / "manifest.csv").write_text("name,input\n0.png,x.jpg\n")
    with pytest.raises(
        DataError, match=r"holds pairs in CUFED's layout, not photos: take a recipe with `pairs: cufed`"
    ):
        read_manifest(open_store(cufed))
    assert read_pair_manifest(open_store(cufed)) == [{"name": "0.png", "input": "x.jpg"}]
    (cufed / "manifest.csv").write_text("of,something\nelse,\n")
    assert read_pair_manifest(open_store(cufed)) is None
