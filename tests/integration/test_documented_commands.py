"""Every command of the documentation is run: each page as a session from top to bottom, on small pictures.

What is not run as it stands:

- `torchrun`, `accelerate launch`, `srun` and `sbatch`: the command that they start is run, in one process
  (`test_train_processes.py`, `test_evaluate_processes.py` and `test_coming_from_mmagic.py` start several);
- training: small networks for two steps, or one step of a recipe in stages (`light`);
- weights that are downloaded are those of a small network;
- those of `CHECKED`, which serve until they are stopped or take long: their arguments are parsed;
- `make` says what it would do; of `pip install` the extras are looked up.

The tables of docs/coming-from-mmagic.md have a test of their own.
"""

import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
import tifffile
import torch
from PIL import Image

from ttsr.cli import app, main
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.training.recipe_text import field_descriptions
from ttsr.weights.saving import save

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
COMMANDS = [name for name in app if not name.startswith("-")]
CHECKED = {"web", "serve", "export"}
DOWNLOADED = re.compile(r"^(hf://owner/repo|mmagic/ttsr-\w+)$")
SMALL = [
    *("--model.channels", "4", "--model.num_blocks", "[1, 1, 1, 1]", "--model.extractor_channels", "[4, 4, 4]"),
    *("--extractor.start", "random", "--losses.perceptual_features", "extractor", "--discriminator.channels", "2"),
    *("--cufed.hr_size", "32", "--cufed.ref_size", "32", "--schedule.steps", "2", "--schedule.pixel_steps", "1"),
    *("--schedule.decay_steps", "0", "--schedule.warmup_steps", "0", "--batch_size", "2", "--workers", "0"),
]
STOPPED = 3

Block = tuple[str, str]


def blocks(text: str) -> Iterator[Block]:
    """Language and text of each block of code; indented ones have none."""
    fenced = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
    indented = re.compile(r"(?:^ {4}.*\n?|^\n(?= {4}))+", re.MULTILINE)
    last = 0
    for found in [*fenced.finditer(text), None]:
        yield from (("", block[0]) for block in indented.finditer(text, last, found.start() if found else len(text)))
        if found:
            yield found[2], found[3]
            last = found.end()


def commands(block: Block) -> Iterator[str]:
    """The command lines of a block, each on one line and without a comment."""
    language, text = block
    if language in ("", "bash", "console", "sh", "shell", "text"):
        for line in text.replace("\\\n", " ").splitlines():
            command = re.sub(r"\s+#( .*)?$", "", line.strip().removeprefix("$ "))
            if re.match(r"(make|pip) [a-z]|sbatch ", command) or starts_ttsr(command):
                yield command


def starts_ttsr(line: str) -> bool:
    return re.search(rf"(^|\s)ttsr ({'|'.join(COMMANDS)})\b", line) is not None


PROGRAMS = {page: [line for block in blocks(page.read_text("utf-8")) for line in commands(block)] for page in PAGES}
SESSIONS = [page for page, lines in PROGRAMS.items() if lines]


def picture(folder: Path, photo: Image.Image, *, small: str = "", large: str = "") -> None:
    """Save a photo under several names, and a quarter of it under others."""
    for names, kept in ((small, photo.resize((photo.width // 4, photo.height // 4))), (large, photo)):
        for name in names.split():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            kept.save(folder / name)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, test_set: Path, film: Path) -> Path:
    """A folder with all that the pages name."""
    folder = tmp_path_factory.mktemp("workspace")
    shutil.copytree(ROOT / "examples", folder / "examples")
    shutil.copy(film, folder)
    for name in ("CUFED5", "CUFED/CUFED5", "TEST", "test"):
        shutil.copytree(test_set, folder / name)
    for photo in sorted((ROOT / "examples/pairs").glob("aloe_*.png")):
        for name in ("photos", "PHOTOS"):
            (folder / name).mkdir(exist_ok=True)
            shutil.copy(photo, folder / name)
        large = "sharp.jpg new.jpg a.jpg b.jpg left.jpg right.jpg photo1.jpg photo2.jpg large.png low.tif fields/b.tif"
        large += " album/1.jpg album/2.png"
        small = "small.jpg photo.jpg old.jpg scans/1.png small.tif high.tif tiles/1.tif"
        crop = Image.open(photo).convert("RGB").crop((0, 0, 64, 48))
        picture(folder, crop, small=small, large=large)
        for side in ("input", "ref"):
            picture(folder, crop.crop((0, 0, 40, 40)), large=f"CUFED/{side}/{photo.stem}.png")
    survey = np.asarray(Image.open(folder / "high.tif"))
    place = {"crs": "EPSG:32631", "transform": rasterio.Affine(0.2, 0, 500000, 0, -0.2, 5600000)}
    size = {"height": survey.shape[0], "width": survey.shape[1], "count": 3, "dtype": "uint8"}
    with rasterio.open(folder / "high.tif", "w", driver="GTiff", **size, **place) as file:
        file.write(survey.transpose(2, 0, 1))
    deep = np.asarray(Image.open(folder / "large.png").convert("L")).astype(np.uint16) * 257
    tifffile.imwrite(folder / "fields/a.tif", deep)
    tifffile.imwrite(folder / "stack.tif", np.stack([deep[::4, ::4]] * 2).astype(np.float32))
    torch.manual_seed(0)
    save(TTSR(TTSRConfig(4, (1, 1, 1, 1), (4, 4, 4))), folder / "model.safetensors")
    shutil.copy(folder / "model.safetensors", folder / "mine.safetensors")
    for name in ("ttsr-rec.pth", "TTSR-rec.pt"):
        assert main(["convert", str(folder / "model.safetensors"), str(folder / name)]) == 0
    return folder


def light(words: list[str]) -> list[str]:
    """The same command with less to do."""
    words = [DOWNLOADED.sub("ttsr-rec.pth", word) for word in words]
    if words[0] == "upscale":  # the photos to train on are large
        return [re.sub("^photos/", "album/", word) for word in words]
    if words[0] != "train":
        return words
    if "--max-time" in words:
        words[words.index("--max-time") + 1] = "0"
    if words[1] == "debug":
        return [*words, "--schedule.steps", "2"]
    if "CUFED" in words[1]:
        return words + SMALL
    more = [] if "--photos.only_open" in words else ["--photos.only_open", "false"]
    more += ["--batch_size", "1", "--losses.contrastive_group", "1", "--workers", "0"]
    return [*words, *more, *([] if "--max-time" in words else ["--max-time", "0"])]


def run_ttsr(words: list[str]) -> None:
    if words[0] in CHECKED:
        app.parse_args(words, print_error=False, exit_on_error=False)
        return
    for word in words:
        if re.fullmatch(r"runs/.*\.safetensors", word):  # what hours of training would have left
            Path(word).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy("model.safetensors", word)
    words = light(words)
    assert main(words) == (STOPPED if words[0] == "train" and "--max-time" in words else 0), words


def run(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Run a command line of a page."""
    words = shlex.split(line)
    into = words[words.index(">") + 1] if ">" in words else ""
    words = words[: words.index(">")] if into else words
    if words[0] == "make":
        planned = subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, capture_output=True, text=True)
        assert planned.returncode == 0, planned.stderr
    elif words[0] == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
        named = re.findall(r"\[(.*?)\]", line)
        assert words[1] == "install" and {name for names in named for name in names.split(",")} <= {*extras}
    elif words[0] == "sbatch":
        assert "ttsr train" in (ROOT / words[1]).read_text("utf-8")
        run_ttsr(["train", *words[2:]])
    else:
        capsys.readouterr()
        launcher, started = words[: words.index("ttsr")], words[words.index("ttsr") + 1 :]
        if launcher and started[0] == "train" and "--resume" not in started:  # another way to start the same run
            shutil.rmtree(f"runs/{started[1]}", ignore_errors=True)
        run_ttsr(started)
        if into:
            Path(into).expanduser().parent.mkdir(parents=True, exist_ok=True)
            Path(into).expanduser().write_text(capsys.readouterr().out)


@pytest.mark.parametrize("page", SESSIONS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_commands_of_a_page_run(
    page: Path, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = shutil.copytree(workspace, tmp_path / "here")
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TTSR_CACHE", str(tmp_path / "cache"))
    for block in blocks(page.read_text("utf-8")):
        language, text = block
        if page.parent.name == "tutorials" and language == "python":
            exec(compile(text, page.name, "exec"), {})
        if page.parent.name == "tutorials" and language == "yaml":
            Path(re.findall(r"^name: (\w+)$", text, re.MULTILINE)[0] + ".yaml").write_text(text)
        for line in commands(block):
            run(line, capsys)


def test_no_command_in_a_block_is_overlooked() -> None:
    assert sum(map(len, PROGRAMS.values())) > 70
    for page, lines in PROGRAMS.items():
        text = re.sub(r"```(?:python|json|yaml)\n.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
        text = text.replace("\\\n", " ")
        # Code as it is seen in another way than by `blocks`: what is indented, or stands between fences.
        fenced = "".join(text.split("```")[1::2]).splitlines()
        code = [line for line in text.splitlines() if line.startswith("    ") or line in fenced]
        assert sum(map(starts_ttsr, code)) == sum(map(starts_ttsr, lines)), page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_within_the_text_have_the_options_that_they_name(page: Path) -> None:
    for found in re.findall(r"`((?:[^`\n]* )?ttsr [^`\n]+)`", page.read_text("utf-8")):
        name, *words = found.partition("ttsr ")[2].split()
        if name not in COMMANDS:
            assert name in ("COMMAND", "--help") or "--model-name ttsr" in found, f"{page.name}: {found}"
            continue
        known = {option for argument in app[name].assemble_argument_collection() for option in argument.names}
        known |= {f"--{field}" for field in field_descriptions()} if name == "train" else set()
        named = {word for word in words if re.match(r"--?[a-z]", word)}
        assert named <= known | {"--help"}, f"{page.name}: {found}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    assert any(f"ttsr {command}" in page.read_text("utf-8") for page in PAGES)
