"""What no command writes to: its inputs, by whatever name, and what is no file."""

import os
from pathlib import Path

import pytest
import torch
from PIL import Image

from ttsr.cli import main
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.saving import save

# The command line with an output, and an input that the output must not be.
COMMANDS = {
    "upscale": ("upscale lr.png --ref ref.png -o OUT.png", "ref.png"),
    "film": ("upscale film.mp4 --ref ref.png -o OUT.mp4", "film.mp4"),
    "film's reference": ("upscale film.mp4 --ref ref.png -o OUT.mkv", "ref.png"),
    "compare": ("compare lr.png --ref ref.png -o OUT.html", "lr.png"),
    "evaluate": ("evaluate set --model model.safetensors --device cpu --json OUT.json", "set/000_1.png"),
    "pack": ("pack set OUT.zip --overwrite", "set/000_0.png"),
    "convert": ("convert model.safetensors OUT.pt", "model.safetensors"),
    "export": ("export --model OUT.onnx -o .", "OUT.onnx"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, film: Path) -> Path:
    folder = tmp_path_factory.mktemp("outputs")
    torch.manual_seed(0)
    save(TTSR(TTSRConfig(4, (1, 1, 1, 1), (4, 4, 4))), folder / "model.safetensors")
    (folder / "OUT.onnx").write_bytes((folder / "model.safetensors").read_bytes())
    (folder / "film.mp4").write_bytes(film.read_bytes())
    (folder / "set").mkdir()
    for name in ("lr.png", "ref.png", "set/000_0.png", "set/000_1.png"):
        Image.new("RGB", (16, 12)).save(folder / name)
    return folder


@pytest.fixture
def output(request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The output of the command, which is removed behind the test if it was not there before."""
    monkeypatch.chdir(folder)
    (name,) = (word for word in COMMANDS[request.param][0].split() if word.startswith("OUT"))
    if request.param != "export":
        request.addfinalizer(lambda: (folder / name).unlink(missing_ok=True))
    return Path(name)


def _refused(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The line that refuses the command."""
    assert main(COMMANDS[command][0].split()) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert [name for name in os.listdir() if name.startswith(".ttsr-")] == []
    return err


@pytest.mark.parametrize("link", [os.link, os.symlink])
@pytest.mark.parametrize("command, output", [(name, name) for name in COMMANDS], indirect=["output"])
def test_an_input_by_another_name(command: str, output: Path, link, capsys: pytest.CaptureFixture[str]) -> None:
    source = Path(COMMANDS[command][1])
    before = source.read_bytes()
    if output != source:
        link(source, output)
    assert "is the output and an input" in _refused(command, capsys)
    assert source.read_bytes() == before and source.samefile(output)


@pytest.mark.parametrize(
    "command, output", [(name, name) for name in COMMANDS if name != "export"], indirect=["output"]
)
def test_a_pipe(command: str, output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(output)
    assert "is a device or the like" in _refused(command, capsys)
    assert output.is_fifo()


@pytest.mark.parametrize(
    "command, output", [(name, name) for name in COMMANDS if name != "export"], indirect=["output"]
)
def test_a_write_protected_file(
    command: str, output: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output.write_text("mine")
    allowed = os.access  # of root, all
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != output.name and allowed(path, mode))
    assert "is write-protected" in _refused(command, capsys)
    assert output.read_text() == "mine"
