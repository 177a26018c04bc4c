"""One writer to a folder, and nothing left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ttsr.errors import UserError
from ttsr.system.folder_lock import LOCK, lock_folder

HOLD = """
import sys, time
from multiprocessing import get_context
from pathlib import Path
from ttsr.system.folder_lock import lock_folder

with lock_folder(Path(sys.argv[1])):
    worker = get_context("fork").Process(target=time.sleep, args=(60,))
    worker.start()
    print(worker.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path):
    """Another process with the lock of `run`, and the id of its worker, which outlives it."""
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    worker = int(child.stdout.readline())
    yield child
    child.kill()
    child.wait()
    child.stdout.close()
    os.kill(worker, signal.SIGKILL)


def test_a_second_process_is_refused_until_the_first_is_gone(holder, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"run: another run is writing here \(process {holder.pid} on .+\): wait"):
        lock_folder(tmp_path / "run").__enter__()
    holder.kill()  # it cannot clean up, and its worker lives on
    holder.wait()
    assert (tmp_path / "run" / LOCK).exists()
    with lock_folder(tmp_path / "run"):
        assert f"process {os.getpid()} on" in (tmp_path / "run" / LOCK).read_text()


def test_the_same_process_is_refused_too_whatever_the_path(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "run")
    with lock_folder(tmp_path / "run"):
        with pytest.raises(UserError, match="another run is writing here"):
            lock_folder(tmp_path / "link").__enter__()
        (tmp_path / "run" / "file").touch()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["file"]
    with lock_folder(tmp_path / "run"):
        pass


def test_a_folder_in_which_nothing_was_written_is_removed(tmp_path: Path) -> None:
    with lock_folder(tmp_path / "deep" / "run"):
        assert (tmp_path / "deep" / "run").is_dir()
    assert not (tmp_path / "deep" / "run").exists()


def test_a_lock_that_another_removed_meanwhile_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one before removes its file between our opening and our locking it; ours would then guard nothing."""
    from ttsr.system import folder_lock

    lock, calls = folder_lock._lock, []

    def remove_before_the_first(file) -> None:
        if not calls:
            (tmp_path / LOCK).unlink()
        calls.append(file)
        lock(file)

    monkeypatch.setattr(folder_lock, "_lock", remove_before_the_first)
    with lock_folder(tmp_path):
        assert len(calls) == 2 and (tmp_path / LOCK).exists()
