import io
import sys

import pytest

from ttsr.cli import bars
from ttsr.cli.bars import progress_bar
from ttsr.progress import Cancelled


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(
    monkeypatch: pytest.MonkeyPatch,
    stderr: io.StringIO,
    patience_s: float,
    label: str = "photo.png",
    stage: str = "",
    shown: bool = True,
) -> str:
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(bars, "_PATIENCE_S", patience_s)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    with progress_bar(label, shown=shown) as progress:
        for fraction in (0.25, 0.5, 1.0):
            progress.update(fraction, stage)
    return stderr.getvalue()


def test_short_work_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, Terminal(), 1000.0) == ""


def test_long_work_shows_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    text = run(monkeypatch, Terminal(), 0.0, stage="matching")
    assert "photo.png: matching" in text
    assert "100%" in text


def test_brackets_in_a_name_are_only_text(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "e[/b][red]x.png" in run(monkeypatch, Terminal(), 0.0, "e[/b][red]x.png")


def test_log_files_and_other_processes_get_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, io.StringIO(), 0.0).strip() == ""
    assert run(monkeypatch, Terminal(), 0.0, shown=False) == ""


def test_the_bar_is_removed_when_the_work_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(bars, "_PATIENCE_S", 0.0)
    with pytest.raises(Cancelled), progress_bar("photo.png") as progress:
        progress.update(0.5)
        progress.cancel()
        progress.update(0.6)
    assert stderr.getvalue().endswith("\x1b[2K")  # the line is erased
