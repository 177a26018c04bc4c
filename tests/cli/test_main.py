import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

import ttsr.cli
from ttsr import __version__
from ttsr.cli import main
from ttsr.errors import ImageError


@pytest.fixture(autouse=True)
def polite_kill() -> Iterator[None]:
    """`main` listens for SIGTERM; the test run itself should not."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_do_not_wait_for_torch(argument: str) -> None:
    program = (
        f"import sys; from ttsr.cli import main; code = main(['{argument}']); "
        "assert not {'torch', 'numpy', 'PIL'} & set(sys.modules); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "upscale" in done.stdout or done.stdout.strip() == f"ttsr {__version__}"


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("upscale", "convert", "evaluate", "train", "recipes", "pairs", "pack"):
        assert main([command, "--help"]) == 0
        assert f"ttsr {command}" in capsys.readouterr().out


def test_wrong_usage_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["nope"],
        ["upscale", "a.png", "--nope"],
        ["upscale", "a.png", "--device", "toaster"],
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


def test_a_polite_kill_unwinds(monkeypatch: pytest.MonkeyPatch) -> None:
    unwound = []

    def app(*_: object, **__: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        finally:
            unwound.append(True)

    monkeypatch.setattr(ttsr.cli, "app", app)
    with pytest.raises(SystemExit) as left:
        main([])
    assert left.value.code == 128 + signal.SIGTERM
    assert unwound == [True]


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
