"""`ttsr evaluate` on two processes."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from ttsr.cli import main
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.saving import save

PAIRS = Path(__file__).parents[2] / "examples" / "pairs"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three small details of the pairs that ship, and an untrained model beside them."""
    data = tmp_path / "set"
    data.mkdir()
    for number, (pair, left) in enumerate([("aloe", 150), ("leuven", 200), ("aloe", 60)]):
        for kind, name in (("hr", f"{number:03d}_0.png"), ("ref", f"{number:03d}_1.png")):
            with Image.open(PAIRS / f"{pair}_{kind}.png") as picture:
                picture.crop((left, 60, left + 48, 100)).save(data / name)
    torch.manual_seed(0)
    save(TTSR(TTSRConfig(4, (1, 1, 1, 1), (4, 4, 4), bicubic_skip=True)), tmp_path / "m.safetensors")
    return data


def without_times(report: dict[str, Any]) -> dict[str, Any]:
    for row in report["rows"]:
        for picture in row["pictures"]:
            del picture["seconds"], picture["cpu_seconds"]
    return report


def test_two_processes_find_what_one_does(folder: Path, launch: Any, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = folder.parent / "one", folder.parent / "two"
    options = ["evaluate", str(folder), "--model", str(folder.parent / "m.safetensors")]
    options += ["--reference", "1", "--reference", "none"]
    assert main([*options, "--device", "cpu", "--json", f"{one}.json", "--html", f"{one}.html"]) == 0
    printed = capsys.readouterr().out
    done = launch(2, *options, "--json", f"{two}.json", "--html", f"{two}.html")
    assert done.codes == [0, 0], done.stderr
    assert done.stdout.count("paper-y") == printed.count("paper-y") == 1
    reports = [without_times(json.loads(Path(f"{path}.json").read_text())) for path in (one, two)]
    assert reports[0] == reports[1]
    assert [picture["name"] for picture in reports[1]["rows"][0]["pictures"]] == ["000", "001", "002"]
    assert Path(f"{one}.html").read_text() == Path(f"{two}.html").read_text()
