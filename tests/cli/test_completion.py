"""`ttsr completion`: the scripts know all commands and options; that of bash is run."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ttsr.cli import app, main

SHELLS = ("bash", "zsh", "fish")
SAYS = {"bash": '"{}"', "zsh": "{}[", "fish": "-l {} "}
COMPLETE = """
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_ttsr
printf '%s\\n' "${COMPREPLY[@]}"
complete -p ttsr
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shell: str) -> Path:
    """The script of a shell, in a file; nothing else is written."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    assert main(["completion", shell]) == 0
    out, err = capsys.readouterr()
    assert err == "" and not list(home.iterdir())
    file = tmp_path / f"ttsr.{shell}"
    file.write_text(out)
    return file


def options(command: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The long options in the help of a command."""
    assert main([command, "--help"]) == 0
    return re.findall(r"^│ (?:\* )?[ A-Z]*(--[a-z0-9-]+)", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_and_option_is_known(
    script: Path, shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    text = script.read_text()
    commands = [name for name in app if not name.startswith("-")]
    assert {"upscale", "train", "info", "completion"} <= {*commands}
    known = {option for command in commands for option in options(command, capsys)}
    assert {"--ref", "--match-colour", "--mined", "--protocol"} < known
    for name in known:
        assert SAYS[shell].format(name.lstrip("-") if shell == "fish" else name) in text
    assert all(f"'{name}" in text or f'"{name}"' in text for name in commands)
    if shutil.which(shell):
        checked = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True)
        assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("shell", ["bash"])
def test_bash_completes(script: Path, shell: str) -> None:
    def complete(*words: str) -> list[str]:
        command = [shell, "--norc", "-c", COMPLETE, shell, str(script), "ttsr", *words]
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        *found, registered = done.stdout.splitlines()
        assert registered == "complete -o default -F _ttsr ttsr"
        return [word for word in found if word]

    assert complete("ups") == ["upscale"]
    assert {"upscale", "evaluate", "info"} < {*complete("")}
    assert complete("upscale", "--match") == ["--match-colour"]
    assert complete("upscale", "a.png", "--precision", "") == ["auto", "fp32", "tf32", "bf16", "fp16"]
    assert complete("train", "--resume", "m") == ["must"]
    assert complete("train", "debug", "--losses.rec_k") == ["--losses.rec_kind"]
    assert complete("train", "debug", "--losses.rec_kind", "") == ["l1", "mse", "charbonnier"]
    assert complete("upscale", "--losses.rec_k") == []
    assert complete("completion", "") == [*SHELLS]
    for words in (("upscale", ""), ("upscale", "--ref", ""), ("upscale", "--out", ""), ("recipes", "")):
        assert complete(*words) == []  # for readline to complete files


@pytest.mark.parametrize("shell", ["zsh"])
def test_zsh_completes_files_and_can_be_sourced(script: Path, shell: str) -> None:
    text = script.read_text()
    assert text.startswith("#compdef ttsr\n")
    assert text.rstrip().endswith("compdef _cyclopts_ttsr ttsr\nfi")
    (upscale,) = (line for line in text.splitlines() if "Pictures to upscale" in line)
    assert upscale.endswith(":_default' \\")
    assert all(":out:_" in line for line in text.splitlines() if "--out[" in line)
    assert "--plan[" in text and not any("--plan[" in line and "_default" in line for line in text.splitlines())


def test_another_shell_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "bash" in err and "fish" in err and err.count("\n") == 1
