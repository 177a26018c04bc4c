"""The list of what a model was trained on."""

from pathlib import Path

import pytest
from model_card.training_data import data_table

from ttsr.errors import DataError


def test_open_photos_by_source_and_licence(tmp_path: Path) -> None:
    lines = [
        "file,source,licence,open",
        "1.jpg,small,CC0,yes",
        "2.jpg,large,MIT,yes",
        "3.jpg,large,CC|BY,yes",
        "4.jpg,large,CC|BY,yes",
        "5.jpg,closed,none stated,no",
    ]
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    table = data_table(tmp_path).splitlines()
    assert table[0].startswith("4 photographs")
    assert table[4:] == [r"| large | 2 | CC\|BY |", "| large | 1 | MIT |", "| small | 1 | CC0 |"]


def test_a_licence_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("file,source,licence,open\n1.jpg,small,,yes\n")
    with pytest.raises(DataError, match=r"manifest\.csv: no licence for 1\.jpg"):
        data_table(tmp_path)


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no manifest\.csv"):
        data_table(tmp_path)
