"""How `mine_pairs` ends when it does not end well; what it writes is tested in tests/cli/test_pairs.py."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from ttsr.data.mining import MiningOptions, mine_pairs
from ttsr.errors import DataError
from ttsr.progress import Cancelled, Progress


@pytest.fixture
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two views of one thing."""
    folder = tmp_path_factory.mktemp("aloe")
    for name in ("aloe_hr.png", "aloe_ref.png"):
        shutil.copy(Path(__file__).parents[3] / "examples" / "pairs" / name, folder)
    return folder


STAGES = ["finding keypoints", "comparing photos", "cropping", "writing the report"]


@pytest.mark.parametrize(("stage", "workers"), list(zip(STAGES, (2, 1, 1, 1), strict=True)))
def test_stopped_at_any_time_nothing_is_left(photos: Path, tmp_path: Path, stage: str, workers: int) -> None:
    def stop(fraction: float, name: str) -> None:
        if name == stage:
            assert len(list(tmp_path.iterdir())) == 1  # the unfinished folder
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mine_pairs(photos, tmp_path / "out", MiningOptions(workers=workers), Progress(stop))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stage", STAGES)
def test_cancelled_in_any_stage_nothing_is_left(photos: Path, tmp_path: Path, stage: str) -> None:
    progress = Progress(lambda fraction, name: progress.cancel() if name == stage else None)
    with pytest.raises(Cancelled):
        mine_pairs(photos, tmp_path / "out", MiningOptions(), progress)
    assert list(tmp_path.iterdir()) == []


def test_progress_rises_through_all_stages(photos: Path, tmp_path: Path) -> None:
    updates: list[tuple[float, str]] = []
    mine_pairs(photos, tmp_path / "out", MiningOptions(), Progress(lambda *update: updates.append(update)))
    fractions = [fraction for fraction, _ in updates]
    assert fractions == sorted(fractions) and fractions[-1] == 1
    assert list(dict.fromkeys(stage for _, stage in updates)) == STAGES


def test_a_full_disk_is_one_line(photos: Path, tmp_path: Path) -> None:
    def fill(fraction: float, stage: str) -> None:
        if stage == "cropping":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(DataError, match="out: cannot be written"):
        mine_pairs(photos, tmp_path / "out", MiningOptions(), Progress(fill))
    assert list(tmp_path.iterdir()) == []
