import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import ttsr.cli
from ttsr import __version__
from ttsr.cli import _with_values, main
from ttsr.errors import ImageError

COMMANDS = ("upscale", "compare", "convert", "evaluate", "train", "recipes", "pairs", "pack", "info", "completion")


def run_ttsr(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own; its output is captured unless the options say otherwise."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-m", "ttsr", *arguments]
    return subprocess.run(command, text=True, timeout=300, **(pipes | options))


def test_help_and_version_do_not_import_torch() -> None:
    program = (
        "import sys; from ttsr.cli import main\n"
        f"for arguments in (['--help'], ['--version'], *([name, '--help'] for name in {COMMANDS})):\n"
        "    assert main(arguments) == 0\n"
        "    assert 'torch' not in sys.modules, arguments\n"
        "    assert len(arguments) == 2 or not {'numpy', 'PIL'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"ttsr {__version__}\n" in done.stdout
    for command in COMMANDS:
        assert f"ttsr {command}" in done.stdout


def test_wrong_usage_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["nope"],
        ["upscale", "a.png", "--nope"],
        ["upscale", "a.png", "--device", "toaster"],
        ["evaluate", "folder", "--device", "cuda:x"],
        ["train", "ttsr-lite", "--data", "folder", "--device", "cuda:-1"],
        ["upscale"],
    ):
        assert main(arguments) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("ttsr: ")
        assert err.count("\n") == 1


def test_errors_get_their_exit_codes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def raising(error: BaseException) -> None:
        def app(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(ttsr.cli, "app", app)

    raising(ImageError("a.png: is\nbad"))
    assert main([]) == 2
    assert capsys.readouterr().err == "ttsr: a.png: is bad\n"
    raising(KeyboardInterrupt())
    assert main([]) == 130
    assert capsys.readouterr().err == "ttsr: stopped\n"
    raising(ZeroDivisionError("a fault of ours"))
    with pytest.raises(ZeroDivisionError):
        main([])


def wait_for_a_signal() -> None:
    """Not by `signal.pause`, which waits for ever where another thread has taken the signal before it began."""
    while True:
        time.sleep(0.01)


def test_a_signal_unwinds_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where the interruption has become another error on its way, and more signals come meanwhile."""
    unwound = []

    def app(*_: object, **__: object) -> None:
        try:
            os.kill(os.getpid(), first)
            wait_for_a_signal()
        except KeyboardInterrupt:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(os.getpid(), number)
            unwound.append(first)
            raise ImportError("a module that was stopped") from None

    monkeypatch.setattr(ttsr.cli, "app", app)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_DFL) for number in numbers]  # tests in the background ignore some
    try:
        for first in numbers:
            assert main([]) == 128 + first
            assert capsys.readouterr().err == "ttsr: stopped\n"
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
    assert unwound == [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def test_a_signal_in_a_finalizer_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    class Freed:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    def app(*_: object, **__: object) -> None:
        Freed()
        wait_for_a_signal()  # that comes again

    monkeypatch.setattr(ttsr.cli, "app", app)
    assert main([]) == 128 + signal.SIGTERM


def test_the_exit_code_tells_the_signal_wherever_it_came(tmp_path: Path) -> None:
    """Also in code that a module makes when it is imported; Python itself would say SIGINT then."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, ttsr.cli\n"
        "ttsr.cli._run = lambda _: exec('os.kill(os.getpid(), signal.SIGTERM); signal.pause()')\n"
    )
    command = [sys.executable, "-m", "ttsr"]
    told = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)
    assert (told.returncode, told.stderr) == (143, "ttsr: stopped\n")


def test_a_reader_that_leaves_is_no_error() -> None:
    program = (
        "import sys, ttsr.cli; ttsr.cli.app = lambda *_, **__: print('x' * 2**20, flush=True); "
        "sys.exit(ttsr.cli.main([]))"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.read(1)
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), errors) == (0, b"")


@pytest.mark.parametrize("command", ["upscale", "evaluate", "train"])
def test_every_command_takes_one_of_several_gpus(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8)).save("a.png")
    arguments = {"upscale": ["a.png"], "evaluate": ["."], "train": ["ttsr-lite", "--data", "."]}[command]
    assert main([command, *arguments, "--device", "cuda:1"]) == 2
    assert "no device cuda:1: the last one here is cuda:0" in capsys.readouterr().err


@pytest.mark.parametrize("buffering", ["", "1"])
def test_a_full_disk_behind_the_output_is_one_line(buffering: str) -> None:
    environment = os.environ | {"PYTHONUNBUFFERED": buffering}
    for arguments in (["--help"], ["--version"], ["recipes"]):
        with open("/dev/full", "w") as full:
            done = run_ttsr(*arguments, stdout=full, env=environment)
        assert done.returncode == 2
        assert done.stderr.startswith("ttsr: the output cannot be written (No space left on device)")
        assert done.stderr.count("\n") == 1
    with open("/dev/full", "w") as full:
        assert run_ttsr("nope", stderr=full, env=environment).returncode == 2


def test_a_file_that_fails_where_none_was_expected_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = PermissionError(13, "Permission denied", "a.png")

    def app(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(ttsr.cli, "app", app)
    assert main([]) == 2
    assert capsys.readouterr().err == "ttsr: a.png: cannot be read or written (Permission denied)\n"
    error = OSError(13, "Permission denied")  # which says nothing to anybody
    with pytest.raises(OSError):
        main([])


def test_a_deleted_current_folder_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "deleted"
    folder.mkdir()
    program = "import os, sys; os.rmdir(os.getcwd()); from ttsr.cli import main; sys.exit(main(sys.argv[1:]))"
    cases = (["upscale", "a.png"], ["evaluate", "data"], ["recipes"])
    for arguments in cases:
        folder.mkdir(exist_ok=True)
        done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, cwd=folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "ttsr: the current folder does not exist any more: change to another folder\n"


@pytest.mark.parametrize("columns", ["1", "2", "7"])
def test_help_ends_in_the_narrowest_terminal(columns: str) -> None:
    done = run_ttsr("upscale", "--help", env=os.environ | {"COLUMNS": columns})
    assert (done.returncode, done.stderr) == (0, "")
    assert "--device" in done.stdout


@pytest.mark.parametrize(
    "given, complete",
    [
        (["--resume"], ["--resume", "auto"]),
        (["--resume", "--out", "a"], ["--resume", "auto", "--out", "a"]),
        (["--resume", "debug"], ["--resume", "auto", "debug"]),
        (["--resume", "must"], ["--resume", "must"]),
        (["debug", "--resume=must"], ["debug", "--resume=must"]),
    ],
)
def test_resume_may_stand_without_a_value(given: list[str], complete: list[str]) -> None:
    assert _with_values(["train", *given]) == ["train", *complete]
    assert _with_values([]) == []
