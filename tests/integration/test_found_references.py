"""`--ref FOLDER`: commands choose references from folders of photos."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ttsr.cli import main
from ttsr.images.resize import downscale4

Pixels = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aloe: Pixels, aloe_ref: Pixels, leuven: Pixels) -> None:
    """Small pictures of two subjects in `scans`, and a photo of each in `album`, beside a file that is none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TTSR_CACHE", str(tmp_path / "cache"))
    for name in ("scans", "album/2020"):
        Path(name).mkdir(parents=True)
    Image.fromarray(downscale4(aloe[100:196, 140:300])).save("scans/plant.png")
    Image.fromarray(downscale4(leuven[40:136, 60:220])).save("scans/street.png")
    Image.fromarray(np.ascontiguousarray(aloe_ref[60:260, 80:400])).save("album/a.png")
    Image.fromarray(np.ascontiguousarray(leuven[20:160, 40:240])).save("album/2020/b.png")
    Path("album/broken.jpg").write_text("no picture")


def upscale(*arguments: str) -> int:
    return main(["upscale", *arguments, "--device", "cpu"])


def test_each_picture_gets_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert upscale("scans", "--ref", "album", "-r") == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 2
    lines = err.splitlines()
    assert lines[0].startswith("ttsr: album/broken.jpg: not a picture") and lines[0].endswith("(left out)")
    assert lines[1].startswith("ttsr: scans/plant.png: reference 1 of 2 photos: album/a.png (")
    assert lines[2].startswith("ttsr: scans/street.png: reference 1 of 2 photos: album/2020/b.png (")
    assert "keypoints agree, " in lines[1] and "keypoints agree, " in lines[2] and len(lines) == 3
    # Results among the photos are no references of the next run, which finds nothing new to look at.
    Path("scans_x4/plant_x4.png").rename("album/plant_x4.png")
    assert upscale("scans/plant.png", "--ref", "album/*", "--json", "-o", "album/") == 0
    facts = json.loads(capsys.readouterr().out.splitlines()[0])
    assert facts["chosen"]["judged"] == 2
    assert [one["name"] for one in facts["chosen"]["references"]] == ["album/a.png"]
    assert facts["chosen"]["unreadable"][0].startswith("album/broken.jpg: ")
    assert [one["name"] for one in facts["references"]] == ["album/a.png"]


def test_named_files_are_always_used(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["scans/street.png", "--ref", "album", "--ref", "album/2020/b.png", "--json"]
    assert upscale(*arguments) == 0
    out, err = capsys.readouterr()
    facts = json.loads(out.splitlines()[0])
    assert [one["name"] for one in facts["references"]] == ["album/2020/b.png"]
    assert facts["chosen"]["references"] == []
    assert "ttsr: scans/street.png: none of the 1 photos in album shows the same thing" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--ref", "scans/none/"], "scans/none: there is no such file"),
        (["--ref", "album/*.tif"], "album/*.tif: no picture matches this pattern"),
        (["--ref", "album", "--max-refs", "0"], "--max-refs 0: is no number of references: give 1 or more"),
        (["--ref", "album", "-o", "album/a.png"], "album/a.png: is the output and an input: name another output"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert upscale("scans/plant.png", *arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err == f"ttsr: {said}\n"
    assert not Path("cache").exists()


def test_compare_chooses_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "scans/plant.png", "--ref", "album", "-o", "page.html", "--device", "cpu"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("page.html: ") and "reference 1 of 1 photos: album/a.png" in err
    assert '"name":"a.png"' in Path("page.html").read_text()
    Path("album/a.png").unlink()
    Path("album/2020/b.png").rename("album/b.png")
    assert main(["compare", "scans/plant.png", "--ref", "album", "-o", "other.html", "--device", "cpu"]) == 2
    assert "scans/plant.png: nothing to compare with: name a photo of the same thing" in capsys.readouterr().err
    assert not Path("other.html").exists()
