"""`ttsr upscale --maps` and what is said where most of a picture found no match."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ttsr.cli import main
from ttsr.images.resize import downscale4
from ttsr.inference.map_folders import MAP_FILES

Pixels = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aloe: Pixels, leuven: Pixels) -> None:
    """Two small pictures of one thing in two folders, the thing itself, and something else."""
    monkeypatch.chdir(tmp_path)
    Path("in/sub").mkdir(parents=True)
    Image.fromarray(downscale4(aloe[80:128, 120:184])).save("in/a.png")
    Image.fromarray(downscale4(aloe[80:128, 60:124])).save("in/sub/a.png")
    Image.fromarray(aloe[60:160, 40:200]).save("thing.png")
    Image.fromarray(leuven[60:160, 40:200]).save("other.png")


def upscale(*arguments: str) -> int:
    return main(["upscale", *arguments, "--device", "cpu"])


def files(folder: str) -> list[str]:
    return sorted(path.as_posix() for path in Path(folder).rglob("*") if path.is_file())


def test_each_picture_has_a_sub_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert upscale("in", "-r", "--ref", "thing.png", "-o", "out", "--maps", "m/maps", "--json") == 0
    assert files("m") == sorted(f"m/maps/{name}/{file}" for name in ("a", "sub/a") for file in MAP_FILES)
    first, second, _ = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["maps"], second["maps"]) == ("m/maps/a", "m/maps/sub/a")
    assert first["unmatched"] < 0.5 and first["notes"] == []
    for name, line in (("a", first), ("sub/a", second)):
        facts = json.loads(Path(f"m/maps/{name}/provenance.json").read_text())
        assert facts["input"]["name"] == line["input"] == f"in/{name}.png"
        assert facts["unmatched"] == line["unmatched"]
        with np.load(f"m/maps/{name}/matches.npz") as matches:
            assert float(matches["relevance"].mean()) == pytest.approx(line["mean_relevance"], abs=1e-4)
            assert matches["index"].shape == matches["confidence"].shape == (12, 16, 3)


def test_the_same_again_and_another_picture(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert upscale("in/a.png", "--ref", "thing.png", "--maps", "m") == 0
        assert ", maps in m/a\n" in capsys.readouterr().out
    before = Path("m/a/provenance.json").read_bytes()
    assert upscale("in/sub/a.png", "--ref", "thing.png", "--maps", "m") == 2
    assert "ttsr: in/sub/a.png: m/a: holds the maps of another picture" in capsys.readouterr().err
    assert Path("m/a/provenance.json").read_bytes() == before and not Path("in/sub/a_x4.png").exists()


def test_a_place_that_cannot_hold_maps_is_said_before_the_work(capsys: pytest.CaptureFixture[str]) -> None:
    for place in ("thing.png", "thing.png/below", "/proc/maps"):
        assert upscale("in/a.png", "--ref", "thing.png", "--maps", place) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and err.startswith(f"ttsr: {place}: ")
    assert not Path("in/a_x4.png").exists()


def test_maps_never_replace_an_input(capsys: pytest.CaptureFixture[str]) -> None:
    reference = Path("m/a/relevance.png")
    reference.parent.mkdir(parents=True)
    reference.write_bytes(Path("thing.png").read_bytes())
    assert upscale("in/a.png", "--ref", str(reference), "--maps", "m") == 2
    assert "is the output and an input" in capsys.readouterr().err
    assert reference.read_bytes() == Path("thing.png").read_bytes()


def test_a_plan_makes_no_folder() -> None:
    assert upscale("in/a.png", "--ref", "thing.png", "--maps", "m", "--plan") == 0
    assert not Path("m").exists()


def test_no_match_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert upscale("in/a.png", "--ref", "other.png", "--maps", "m", "--json") == 0
    out, err = capsys.readouterr()
    note = "nothing of it was found in the references, so no textures were added"
    assert f"ttsr: in/a.png: {note}" in err.splitlines()
    facts = json.loads(out.splitlines()[0])
    assert facts["notes"] == [note] and facts["unmatched"] == 1
    assert upscale("in/a.png", "--ref", "other.png", "--pose", "off") == 0
    assert "% of it found no match in the references" in capsys.readouterr().err
    assert upscale("in/a.png", "--maps", "m") == 0
    assert "match" not in capsys.readouterr().err
    assert json.loads(Path("m/a/provenance.json").read_text())["references"] == []
