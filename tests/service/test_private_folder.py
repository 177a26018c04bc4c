import multiprocessing
import tempfile
from pathlib import Path

import pytest

from ttsr.service.private_folder import private_folder, remove_left_ones
from ttsr.system.folder_lock import lock_folder


def _hold(folder: Path, ready: str) -> None:
    with lock_folder(folder):
        (folder / "file").touch()
        Path(ready).touch()
        multiprocessing.Event().wait()


def test_a_folder_is_private_and_goes_with_its_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with private_folder() as folder:
        assert folder.parent == tmp_path and folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").touch()
    assert not [*tmp_path.iterdir()]


def test_what_a_killed_service_left_is_removed_and_that_of_a_running_one_kept(tmp_path: Path) -> None:
    left, held = tmp_path / "ttsr-serve-1", tmp_path / "ttsr-serve-2"
    (left / "jobs").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    process = multiprocessing.get_context("spawn").Process(target=_hold, args=(held, str(tmp_path / "ready")))
    process.start()
    while not (tmp_path / "ready").exists():
        process.join(0.01)
        assert process.is_alive()
    remove_left_ones(tmp_path)
    assert not left.exists() and (held / "file").exists() and (tmp_path / "other").exists()
    process.kill()
    process.join()
    remove_left_ones(tmp_path)
    assert not held.exists()
