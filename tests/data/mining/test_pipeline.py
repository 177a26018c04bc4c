"""How `make_pairs` ends when it does not end well; what it writes is tested in tests/cli/test_pairs.py."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from ttsr.data.mining.pairs_options import PairsOptions
from ttsr.data.mining.pipeline import make_pairs
from ttsr.errors import DataError


@pytest.fixture
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two views of one thing."""
    folder = tmp_path_factory.mktemp("aloe")
    for name in ("aloe_hr.png", "aloe_ref.png"):
        shutil.copy(Path(__file__).parents[2] / "examples" / "pairs" / name, folder)
    return folder


@pytest.mark.parametrize(("stage", "workers"), [("looking for features", 2), ("comparing photos", 1), ("cutting", 1)])
def test_stopped_at_any_time_nothing_is_left(photos: Path, tmp_path: Path, stage: str, workers: int) -> None:
    def stop(what: str, done: float) -> None:
        if what == stage:
            assert len(list(tmp_path.iterdir())) == 1  # beside what is to be made
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_pairs(photos, tmp_path / "out", PairsOptions(workers=workers), stop)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line(photos: Path, tmp_path: Path) -> None:
    def fill(what: str, done: float) -> None:
        if what == "cutting":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(DataError, match="out: cannot be written"):
        make_pairs(photos, tmp_path / "out", PairsOptions(), fill)
    assert list(tmp_path.iterdir()) == []
