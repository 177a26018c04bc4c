"""The examples in the help of each command, and the commands of docs/command-line.md, run as they stand."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from ttsr.cli import app, main
from ttsr.cli.examples import EXAMPLES
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.saving import save

ROOT = Path(__file__).parents[2]
LINES = [line for examples in EXAMPLES.values() for line in examples.values()]
PAGE = re.findall(r"^    (ttsr .*)$", (ROOT / "docs" / "command-line.md").read_text(), re.MULTILINE)
# Where no time is left after the first step, the run is stopped there.
TWO_HOURS, STOPPED = "--max-time 7200", 3


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, test_set: Path, film: Path) -> Path:
    """What the examples name: small pictures, photos of the same things, a test set, and a small network."""
    folder = tmp_path_factory.mktemp("examples")
    for name in ("scans", "photos"):
        (folder / name).mkdir()
    shutil.copytree(test_set, folder / "CUFED5")
    shutil.copy(film, folder)
    for photo in sorted((ROOT / "examples" / "pairs").glob("aloe_*.png")):
        shutil.copy(photo, folder / "photos")
        for name in ("sharp.jpg", "a.jpg", "b.jpg"):
            Image.open(photo).crop((0, 0, 128, 96)).convert("RGB").save(folder / name)
        for name in ("small.jpg", "scans/1.png"):
            Image.open(photo).crop((0, 0, 128, 96)).resize((32, 24)).convert("RGB").save(folder / name)
    torch.manual_seed(0)
    save(TTSR(TTSRConfig(4, (1, 1, 1, 1), (4, 4, 4))), folder / "model.safetensors")
    assert main(["convert", str(folder / "model.safetensors"), str(folder / "ttsr-rec.pth")]) == 0
    return folder


def test_every_command_has_examples_that_fit_into_80_columns() -> None:
    assert {*EXAMPLES} == {"ttsr", *(name for name in app if not name.startswith("-"))}
    assert all(len(examples) >= 2 for examples in EXAMPLES.values())
    assert max(map(len, LINES)) <= 77


@pytest.mark.parametrize("command", [name for name in EXAMPLES if name != "ttsr"])
def test_the_help_ends_with_them(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    for what, line in EXAMPLES[command].items():
        assert re.search(rf"^ • {re.escape(what)}: *\n   {re.escape(line)} *$", out, re.MULTILINE)


@pytest.mark.parametrize("line", dict.fromkeys([*LINES, *PAGE]))
def test_an_example_runs(
    line: str, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = shutil.copytree(files, tmp_path / "here")
    monkeypatch.chdir(here)
    monkeypatch.setenv("TTSR_CACHE", str(tmp_path / "cache"))
    # They would run until they are stopped; tests/service has servers that run.
    for name in ("serve", "web"):
        monkeypatch.setattr(f"ttsr.cli.{name}.serve_until_stopped", lambda settings, port, **_: print(settings, port))
    if line.endswith("--overwrite"):
        (here / "photos.zip").write_bytes(b"")
    before = {path: path.stat().st_size for path in here.rglob("*") if path.is_file()}
    # What the shell does with the output is not ours.
    bare = re.sub(r"source <\((.*)\)| > .*", r"\1", line).replace(TWO_HOURS, "--max-time 0")
    program, *words = shlex.split(bare)
    assert program == "ttsr"
    if words[0] == "export":  # which takes long; tests/export runs it
        app.parse_args(words, print_error=False, exit_on_error=False)
        return
    assert main(words) == (STOPPED if TWO_HOURS in line else 0)
    assert capsys.readouterr().out
    after = {path: path.stat().st_size for path in here.rglob("*") if path.is_file()}
    printing = ("info", "recipes", "completion", "serve", "web")
    only_prints = words[0] in printing or words[-1] in (
        "--help",
        "--plan",
        "CUFED5/",
    )
    assert (after == before) == only_prints


def test_the_page_names_every_shell() -> None:
    assert len(PAGE) == 5 and {*PAGE} <= {*LINES}
