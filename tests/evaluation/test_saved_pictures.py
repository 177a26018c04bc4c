"""`ttsr evaluate --save`."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ttsr.cli import main
from ttsr.data.cufed5 import list_groups
from ttsr.evaluation.protocols import MMEDIT_RGB, PAPER_Y
from ttsr.evaluation.saved_pictures import SavedPictures
from ttsr.evaluation.scored_picture import PictureScore, ScoredImages
from ttsr.evaluation.scoring import evaluate
from ttsr.models.ttsr import TTSR
from ttsr.weights.saving import save


@pytest.fixture
def files(model: TTSR, folder: Path) -> tuple[Path, Path]:
    """The model, and another one of the same file name."""
    other = folder.parent / "other" / "m.safetensors"
    other.parent.mkdir()
    save(model, folder.parent / "m.safetensors")
    torch.manual_seed(1)
    save(TTSR(model.config), other)
    return folder.parent / "m.safetensors", other


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image)


def test_pictures_of_one_model(folder: Path, files: tuple[Path, Path], model: TTSR) -> None:
    out = folder.parent / "new" / "out"
    assert main(["evaluate", str(folder), "--model", str(files[0]), "--save", str(out), "--device", "cpu"]) == 0
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*")) == [f"00{n}.png" for n in range(4)]
    shown: dict[str, ScoredImages] = {}

    def keep(score: PictureScore, images: ScoredImages) -> None:
        shown[score.name] = images

    evaluate(model, list_groups(folder), protocols=[PAPER_Y], on_picture=keep)
    for name, images in shown.items():
        assert np.array_equal(pixels(out / f"{name}.png"), images.sr)


def test_a_saved_picture_scores_as_reported(folder: Path, files: tuple[Path, Path], model: TTSR) -> None:
    """By a protocol that rounds to 8 bits."""
    options = ["--protocol", "mmedit-rgb", "--device", "cpu"]
    assert main(["evaluate", str(folder), "--model", str(files[0]), "--save", str(folder.parent / "o"), *options]) == 0
    (score, *_) = evaluate(model, list_groups(folder), protocols=[MMEDIT_RGB])
    hr = pixels(folder / "000_0.png")[:36, :40]
    assert MMEDIT_RGB.score(hr, pixels(folder.parent / "o" / "000.png")) == score.model["mmedit-rgb"]


def test_a_folder_for_each_model_and_choice_of_references(folder: Path, files: tuple[Path, Path]) -> None:
    out = folder.parent / "out"
    models = [word for file in files for word in ("--model", str(file))]
    options = ["--reference", "1", "--reference", "lr", "--protocol", "paper-y", "--device", "cpu"]
    assert main(["evaluate", str(folder), *models, "--save", str(out), *options]) == 0
    made = {path.relative_to(out).parent.as_posix() for path in out.rglob("*.png")}
    assert len(made) == 4 and {Path(place).name for place in made} == {"1", "lr"}
    assert all(len(list((out / place).iterdir())) == 4 for place in made)


def test_names_of_folders_are_safe_and_differ() -> None:
    models = ["/tmp/m.safetensors", "tmp/m.safetensors", "https://x/y.pth", "..", "a.pt", "A.safetensors"]
    saved = SavedPictures(Path("out"), models, ["1"])
    folders = list(saved._folders.values())
    assert all(folder.parent == Path("out") for folder in folders)
    assert [folder.name for folder in folders] == ["tmp_m", "tmp_m-2", "https_x_y", "model", "a", "A-2"]


@pytest.mark.parametrize("kind", ["picture", "link", "report", "file"])
def test_nothing_is_overwritten(
    kind: str,
    folder: Path,
    files: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(TTSR, "forward", lambda *_: pytest.fail("scored before all was checked"))
    out, more = folder, list[str]()
    if kind == "picture":  # the group 000_0 has the result 000_0.png
        for number in (0, 1):
            (folder / f"000_0_{number}.png").write_bytes((folder / f"000_{number}.png").read_bytes())
    else:
        out = folder.parent / "out"
        out.mkdir()
    if kind == "link":
        (out / "001.png").symlink_to(folder / "001_1.png")
    if kind == "report":
        more = ["--csv", str(out / "001.png")]
    if kind == "file":
        out = files[0]
    before = {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()}
    assert main(["evaluate", str(folder), "--model", str(files[0]), "--save", str(out), "--device", "cpu", *more]) == 2
    assert {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()} == before
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and ("is the output and an input" in error or "cannot be made" in error)
