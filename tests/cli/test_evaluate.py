"""`ttsr evaluate`, through the command line."""

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ttsr.cli import main
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.saving import save


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two groups of two and one references, and a small model beside them."""
    rng = np.random.default_rng(0)
    data = tmp_path / "set"
    data.mkdir()
    for name in ("000_0", "000_1", "000_2", "001_0", "001_1"):
        Image.fromarray(rng.integers(0, 256, (32, 40, 3), np.uint8)).save(data / f"{name}.png")
    save(TTSR(TTSRConfig(4, (1, 1, 1, 1), (4, 4, 4), bicubic_skip=True)), tmp_path / "m.safetensors")
    return data


def test_table_and_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, out = str(folder.parent / "m.safetensors"), folder.parent / "report.json"
    arguments = ["evaluate", str(folder), "--model", model, "--reference", "2", "--json", str(out)]
    assert main([*arguments, "--pictures", "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "bicubic" in printed and "paper-y" in printed and "mmagic-rgb" in printed
    assert "1 of 2 without reference 2" in printed
    report = json.loads(out.read_text())
    (row,) = report["rows"]
    assert row["substituted"] == ["001"]
    assert [picture["references"] for picture in row["pictures"]] == [["000_2.png"], ["001_1.png"]]
    psnrs = [picture["model"]["paper-y"]["psnr"] for picture in row["pictures"]]
    means = row["means"]["paper-y"]
    assert means["model"]["psnr"] == pytest.approx(np.mean(psnrs))
    assert means["gain"]["psnr"] == pytest.approx(means["model"]["psnr"] - means["bicubic"]["psnr"])
    assert (row["model"], row["reference"]) == ("m.safetensors", "2")
    assert {"ttsr", "torch", "numpy", "pillow", "scikit-image"} <= report["versions"].keys()


def test_protocols_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(folder.parent / "m.safetensors")
    options = ["--reference", "lr", "--protocol", "mmedit-rgb", "--device", "cpu"]
    assert main(["evaluate", str(folder), "--model", model, *options]) == 0
    printed = capsys.readouterr().out
    assert "mmedit-rgb" in printed and "paper-y" not in printed


def test_levels_of_two_models_in_one_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = folder.parent / "m.safetensors", folder.parent / "other" / "m.safetensors"
    second.parent.mkdir()
    second.write_bytes(first.read_bytes())
    out = {suffix: folder.parent / f"report.{suffix}" for suffix in ("json", "csv", "html")}
    options = ["--reference", "levels", "--reference", "1", "--protocol", "all", "--device", "cpu", "--published"]
    files = [text for suffix, path in out.items() for text in (f"--{suffix}", str(path))]
    arguments = ["evaluate", str(folder), "--model", str(first), "--model", str(second), *options, *files]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "1 of 2 without reference 2" in printed and "1 picture has this level" in printed
    assert "published scores on CUFED5" in printed and "TTSR-rec" in printed
    report = json.loads(out["json"].read_text())
    assert [(row["model"], row["reference"]) for row in report["rows"]] == [
        (str(model), level) for model in (first, second) for level in ("1", "2", "3", "4", "lr")
    ]
    assert len(report["protocols"]) == 5
    lines = list(csv.DictReader(out["csv"].read_text().splitlines()))
    assert len(lines) == 2 * 5 * 2 * 5
    assert out["html"].read_text().count("<img") == 2 * (4 + 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "--model", "m.safetensors"], "nowhere: no such folder"),
        ([".", "--model", "m.safetensors"], "there is no NNN_0.png"),
        (["set", "--model", "ttsr-huge"], "no weights are named ttsr-huge"),
        (["set", "--model", "m.safetensors", "--reference", "6"], "reference"),
        (["set", "--model", "m.safetensors", "--protocol", "other"], "protocol"),
        (["set", "--model", "m.safetensors", "--json", "nowhere/a.json"], "nowhere: there is no such folder"),
        (["set", "--model", "m.safetensors", "--json", "set/000_0.png"], "set/000_0.png: is the output and an input"),
        (["set", "--model", "m.safetensors", "--json", "set/000_2.png"], "set/000_2.png: is the output and an input"),
        (["set", "--model", "m.safetensors", "--json", "m.safetensors"], "m.safetensors: is the output and an input"),
        (["set", "--model", "m.safetensors", "--html", "set/000_2.png"], "set/000_2.png: is the output and an input"),
        (["set", "--model", "m.safetensors", "--csv", "a", "--html", "./a"], "is given as two outputs"),
        (["set", "--model", "m.safetensors", "--csv", "nowhere/a.csv"], "nowhere: there is no such folder"),
        (["set", "--model", "m.safetensors", "--csv", "/proc/x.csv"], "/proc: cannot be written to"),
        (["set", "--model", "m.safetensors", "--csv", f"{260 * 'x'}.csv"], "File name too long"),
        (["set", "--model", "m.safetensors", "--html", "set"], "set: is a folder"),
        (["set", "--model", "m.safetensors", "--model", "bad.safetensors"], "bad.safetensors"),
        (["unreadable", "--model", "m.safetensors"], "unreadable/001_1.png: not a picture"),
        (["set", "--model", "http://[bad/x.pth"], "is not a valid URL"),
        ([300 * "x", "--model", "m.safetensors"], "no such folder"),
        (["broken", "--model", "m.safetensors"], "000_0.png"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str],
    message: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder.parent)
    Path("broken").mkdir()
    Path("broken/000_0.png").write_bytes((folder / "000_0.png").read_bytes()[:200])
    Path("broken/000_1.png").write_bytes((folder / "000_1.png").read_bytes())
    shutil.copytree(folder, "unreadable")
    Path("unreadable/001_1.png").write_text("no picture")
    Path("bad.safetensors").write_text("no weights")

    def no_work(*_: object) -> None:
        raise AssertionError("scored before all was checked")

    monkeypatch.setattr(TTSR, "forward", no_work)
    before = {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()}
    assert main(["evaluate", *arguments]) == 2
    assert {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()} == before
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_names_are_only_text(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder.parent)
    odd = Path("e[/b]")  # to Rich the end of something bold
    odd.parent.mkdir()
    folder.rename(odd)
    for number in (0, 1):
        (odd / f"001_{number}.png").rename(odd / f"[red]x:cat:_{number}.png")
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["evaluate", str(odd), "--model", "m.safetensors", "--pictures", "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "e[/b]: 2 pictures" in printed
    assert "[red]x:cat: " in printed and "[red]x:cat:_1.png" in printed


def test_names_that_are_no_utf8(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = os.fsdecode(b"\xff\xfe")
    for number in (0, 1):
        (folder / f"001_{number}.png").rename(folder / f"{name}_{number}.png")
    out = {suffix: folder.parent / f"report.{suffix}" for suffix in ("json", "csv", "html")}
    files = [text for suffix, path in out.items() for text in (f"--{suffix}", str(path))]
    model = str(folder.parent / "m.safetensors")
    assert main(["evaluate", str(folder), "--model", model, "--device", "cpu", "--pictures", *files]) == 0
    assert "\\udcff\\udcfe" in capsys.readouterr().out
    with out["csv"].open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        assert {line["picture"] for line in csv.DictReader(file)} == {"000", name}
    assert b",\xff\xfe," in out["csv"].read_bytes()
    assert [picture["name"] for picture in json.loads(out["json"].read_text())["rows"][0]["pictures"]] == ["000", name]
    assert 'data-name="\\udcff\\udcfe"' in out["html"].read_text()


def test_outputs_go_through_links(folder: Path) -> None:
    target, link = folder.parent / "kept.json", folder.parent / "link.json"
    target.write_text("old")
    link.symlink_to(target.name)
    model = str(folder.parent / "m.safetensors")
    assert main(["evaluate", str(folder), "--model", model, "--device", "cpu", "--json", str(link)]) == 0
    assert link.is_symlink()
    assert json.loads(target.read_text())["num_pictures"] == 2


def test_one_failing_output_leaves_the_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = {suffix: folder.parent / f"report.{suffix}" for suffix in ("json", "csv", "html")}
    forward = TTSR.forward

    def meanwhile(self: TTSR, *args: Any, **options: Any) -> Any:
        out["csv"].mkdir(exist_ok=True)  # what was free before the work is taken after it
        return forward(self, *args, **options)

    monkeypatch.setattr(TTSR, "forward", meanwhile)
    files = [text for suffix, path in out.items() for text in (f"--{suffix}", str(path))]
    model = str(folder.parent / "m.safetensors")
    assert main(["evaluate", str(folder), "--model", model, "--device", "cpu", *files]) == 2
    printed = capsys.readouterr()
    assert "paper-y" in printed.out
    assert "report.csv: cannot be written" in printed.err and printed.err.count("\n") == 1
    assert json.loads(out["json"].read_text())["num_pictures"] == 2
    assert out["html"].read_text().endswith("</html>\n")


def test_a_picture_without_error_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bicubic of black is black: its PSNR is infinite, and the means with it."""
    exact = TTSR(TTSRConfig(4, (0, 0, 0, 0), (4, 4, 4), bicubic_skip=True))
    for parameter in exact.synthesis.merge.tail2.parameters():
        torch.nn.init.zeros_(parameter)
    save(exact, folder.parent / "exact.safetensors")
    Image.new("RGB", (40, 32)).save(folder / "001_0.png")
    out = folder.parent / "report.json"
    options = ["--model", str(folder.parent / "exact.safetensors"), "--protocol", "paper-y", "--device", "cpu"]
    assert main(["evaluate", str(folder), *options, "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "bicubic equals the ground truth on 001 by paper-y" in printed
    assert "exact.safetensors with reference 1 equals the ground truth on 001 by paper-y" in printed
    means = json.loads(out.read_text())["rows"][0]["means"]["paper-y"]
    assert means["model"]["psnr"] is None and means["bicubic"]["psnr"] is None
    assert means["gain"]["psnr"] == pytest.approx(0, abs=1e-4)
