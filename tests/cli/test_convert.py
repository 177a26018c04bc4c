"""`ttsr convert`, through the command line."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from ttsr.cli import main
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.loading import load
from ttsr.weights.saving import read_metadata, save


@pytest.fixture
def source(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "in.safetensors"
    save(TTSR(TTSRConfig(4, (1, 2, 1, 1), (3, 4, 5))), path)
    return path


def test_round_trip_through_both_foreign_layouts(source: Path, tmp_path: Path) -> None:
    files = [source, *(tmp_path / name for name in ("TTSR.pt", "mmagic.pth", "back.safetensors"))]
    for before, after in pairwise(files):
        assert main(["convert", str(before), str(after)]) == 0
    assert set(torch.load(files[2], weights_only=True)) == {"meta", "state_dict"}
    first, last = load(source).state_dict(), load(files[-1]).state_dict()
    assert all(torch.equal(first[key], last[key]) for key in first)


def test_metadata_is_carried_and_added_to(source: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    noted = ["--licence", "Apache-2.0", "--recipe", "ttsr-lite"]
    assert main(["convert", str(source), str(first), *noted]) == 0
    assert main(["convert", str(first), str(second), "--half", "--licence", "CC0-1.0"]) == 0
    provenance = read_metadata(second).provenance
    assert (provenance.licence, provenance.recipe, provenance.source) == ("CC0-1.0", "ttsr-lite", "in.safetensors")


@pytest.mark.parametrize(
    "others", [[], ["ttsr-lite"], ["other/in.safetensors"]], ids=["alone", "two", "same file name"]
)
def test_scores_go_from_evaluate_to_the_weights(
    source: Path, test_set: Path, tmp_path: Path, others: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report, out = tmp_path / "report.json", tmp_path / "out.safetensors"
    (tmp_path / "other").mkdir()
    save(TTSR(TTSRConfig(4, (0, 0, 0, 0), (3, 4, 5))), tmp_path / "other" / "in.safetensors")
    monkeypatch.chdir(tmp_path)
    models = [argument for name in (str(source), *others) for argument in ("--model", name)]
    levels = ["--reference", "1", "--reference", "lr", "--json", str(report), "--device", "cpu"]
    assert main(["evaluate", str(test_set), *models, *levels]) == 0
    assert main(["convert", str(source), str(out), "--scores", str(report)]) == 0
    rows = [row for row in json.loads(report.read_text())["rows"] if row["model"] in ("in.safetensors", str(source))]
    expected = {
        f"{test_set.name}, reference {row['reference']}, {protocol}": {
            metric: value for metric, value in scores["model"].items() if value is not None
        }
        for row in rows
        for protocol, scores in row["means"].items()
    }
    assert len(expected) == 4
    assert read_metadata(out).provenance.scores == expected


def test_scores_of_other_models_are_refused(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"model": model, "reference": "1", "means": {}} for model in ("a", "b")]
    (tmp_path / "report.json").write_text(json.dumps({"data": "set", "rows": rows}))
    arguments = ["convert", str(source), str(tmp_path / "o.safetensors"), "--scores", str(tmp_path / "report.json")]
    assert main(arguments) == 2
    assert "in.safetensors, but of a, b" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["weights.bin", "weights.pt"])
def test_metadata_is_carried_whatever_the_source_is_called(name: str, source: Path, tmp_path: Path) -> None:
    first, last = tmp_path / name, tmp_path / "last.safetensors"
    noted = ["--licence", "CC0-1.0", "--recipe", "short", "--layout", "ttsr"]
    assert main(["convert", str(source), str(first), *noted]) == 0
    assert main(["convert", str(first), str(last)]) == 0
    provenance = read_metadata(last).provenance
    assert (provenance.source, provenance.licence, provenance.recipe) == ("in.safetensors", "CC0-1.0", "short")


def test_foreign_layout_called_safetensors(source: Path, tmp_path: Path) -> None:
    first, last = tmp_path / "authors.safetensors", tmp_path / "last.safetensors"
    assert main(["convert", str(source), str(first), "--layout", "authors"]) == 0
    assert main(["convert", str(first), str(last)]) == 0
    assert read_metadata(last).provenance.source == "authors.safetensors"


def test_layout_by_name(source: Path, tmp_path: Path) -> None:
    assert main(["convert", str(source), str(tmp_path / "weights.bin"), "--layout", "authors"]) == 0
    assert "LTE.sub_mean.weight" in torch.load(tmp_path / "weights.bin", weights_only=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in.safetensors", "out.bin"], "name a .safetensors, .pt or .pth file"),
        (["in.safetensors", "in.safetensors"], "is the output and an input"),
        (["in.safetensors", "link.pt"], "is the output and an input"),
        (["in.safetensors", "scores.pth", "--scores", "scores.pth"], "is the output and an input"),
        (["http://[bad/x.pth", "out.safetensors"], "is not a valid URL"),
        (["nowhere.pth", "out.safetensors"], "there is no such file"),
        (["no-such-model", "out.safetensors"], "no weights are named no-such-model"),
        (["empty.pth", "out.safetensors"], "the file is empty"),
        (["skip.safetensors", "out.pt"], "bicubic_skip cannot be written"),
        (["in.safetensors", "out.safetensors", "--scores", "empty.pth"], "not a JSON report of an evaluation"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str],
    message: str,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(source.parent)
    Path("empty.pth").touch()
    Path("link.pt").hardlink_to("in.safetensors")
    Path("scores.pth").write_text("{}")
    save(TTSR(TTSRConfig(4, (0, 0, 0, 0), (3, 4, 5), bicubic_skip=True)), "skip.safetensors")
    before = sorted(source.parent.iterdir())
    assert main(["convert", *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert sorted(source.parent.iterdir()) == before
