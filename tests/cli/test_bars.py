import io
import sys

import pytest

from ttsr.cli import bars
from ttsr.cli.bars import LateBar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO, patience_s: float, label: str = "photo.png") -> str:
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(bars, "_PATIENCE_S", patience_s)
    monkeypatch.setenv("TERM", "xterm")
    with LateBar(label) as bar:
        for done in (0.25, 0.5, 1.0):
            bar(done)
    return stderr.getvalue()


def test_short_work_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, Terminal(), 1000.0) == ""


def test_long_work_shows_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "photo.png" in run(monkeypatch, Terminal(), 0.0)


def test_brackets_in_a_name_are_only_text(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "e[/b][red]x.png" in run(monkeypatch, Terminal(), 0.0, "e[/b][red]x.png")


def test_a_log_file_gets_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    assert run(monkeypatch, io.StringIO(), 0.0).strip() == ""
