"""`ttsr export`: the files, what they state, and what is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import ttsr
from ttsr.cli import main
from ttsr.errors import UserError
from ttsr.export import checking, export_model, programs
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.catalog import available_weights


def operators(graph: onnx.GraphProto) -> set[str]:
    """Of a graph and those within it."""
    inner = [a.g for node in graph.node for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
    return {node.op_type for node in graph.node}.union(*map(operators, inner))


def test_every_part_is_described(published_onnx: Path, published_programs: Path, lite_onnx: Path) -> None:
    """Of the published network first: another process is making the other meanwhile."""
    for folder, suffix in ((lite_onnx, ".onnx"), (published_onnx, ".onnx"), (published_programs, ".pt2")):
        facts = json.loads((folder / "model.json").read_text())
        names = ["extractor", "matching", "synthesis", *(["trunk"] if folder == lite_onnx else [])]
        assert [*facts["parts"]] == names
        assert sorted(p.name for p in folder.iterdir()) == sorted(["model.json", *(f"{n}{suffix}" for n in names)])
        assert facts["largest_difference"] <= 1e-4
        assert facts["made_with"] == f"ttsr {ttsr.__version__}, PyTorch {torch.__version__}"
    facts = json.loads((lite_onnx / "model.json").read_text())
    assert (facts["model"], facts["opset"]) == ("ttsr-lite", programs.OPSET)
    assert facts["licence"] == available_weights()["ttsr-lite"].provenance.licence != ""
    assert facts["parts"]["synthesis"]["inputs"]["lr"]["shape"] == [1, 3, "h", "w"]
    assert "[0, 1]" in facts["parts"]["synthesis"]["inputs"]["lr"]["meaning"]


def test_onnx_states_the_same_and_needs_no_col2im(lite_onnx: Path, published_onnx: Path) -> None:
    for folder in (lite_onnx, published_onnx):
        facts = json.loads((folder / "model.json").read_text())
        for name, part in facts["parts"].items():
            model = onnx.load(folder / part["file"])
            onnx.checker.check_model(model, full_check=True)
            found = operators(model.graph)
            assert "Conv" in found or name == "matching"
            assert {"Loop"} <= found or name in ("extractor", "trunk")
            assert not {"Col2Im", "Im2Col"} & found
            assert {node.domain for node in model.graph.node} == {""}
            assert [(o.domain, o.version) for o in model.opset_import] == [("", programs.OPSET)]
            session = onnxruntime.InferenceSession(folder / part["file"])
            stated = session.get_modelmeta().custom_metadata_map
            assert (stated["part"], stated["licence"]) == (name, facts["licence"])
            assert json.loads(stated["parts"]) == facts["parts"]
            for values, told in ((session.get_inputs(), part["inputs"]), (session.get_outputs(), part["outputs"])):
                assert {v.name: v.shape for v in values} == {n: v["shape"] for n, v in told.items()}


def test_programs_state_the_same(published_programs: Path) -> None:
    facts = json.loads((published_programs / "model.json").read_text())
    held = {programs.METADATA_FILE: ""}
    torch.export.load(published_programs / "extractor.pt2", extra_files=held)
    stated = json.loads(held[programs.METADATA_FILE])
    assert stated["part"] == "extractor"
    assert stated["parts"] == facts["parts"]


def test_one_pixel_and_one_cell_are_enough(lite_onnx: Path, published_onnx: Path) -> None:
    for folder in (lite_onnx, published_onnx):
        inputs = json.loads((folder / "model.json").read_text())["parts"]["matching"]["inputs"]
        sizes = {"h": 1, "w": 1, "H": 1, "W": 1, "4*h": 4, "4*w": 4, "4*H": 4, "4*W": 4}
        values = {
            name: np.ones([size if isinstance(size, int) else sizes[size] for size in value["shape"]], np.float32)
            for name, value in inputs.items()
        }
        session = onnxruntime.InferenceSession(folder / "matching.onnx")
        relevance, place = map(np.asarray, session.run(["relevance", "place"], values))
        assert np.allclose(relevance, 1)
        assert place.shape == (1, 2, 1, 1)


def test_onnxruntime_does_not_report_its_use(lite_onnx: Path, tmp_path: Path) -> None:
    """It would write an identifier of the device, and events to be sent, into the cache of the user."""
    code = f"from ttsr.export.runners import run_onnx; run_onnx({str(lite_onnx / 'matching.onnx')!r}, None)"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    subprocess.run([sys.executable, "-c", code], env=environment | {"HOME": str(tmp_path)}, check=True)
    assert [*tmp_path.rglob("*onnxruntime*")] == []


def test_a_part_that_differs_is_refused(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.json").write_text("before")

    def wrong(path: Path, part: object) -> object:
        return lambda values: {"features": torch.zeros(1), "sr": torch.zeros(1)}

    monkeypatch.setattr("ttsr.export.exporting.run_onnx", wrong)
    monkeypatch.setattr("ttsr.export.exporting.exported", lambda part: None)
    monkeypatch.setattr("ttsr.export.exporting.save_onnx", lambda program, part, file, facts: file.touch())
    monkeypatch.setattr("ttsr.export.exporting.difference", lambda model, runs: checking.within({"matching": 2e-4}, 0))
    assert main(["export", "--model", str(published), "-o", str(tmp_path)]) == 2
    assert "the exported matching differs from the network by 0.0002" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["model.json"]
    assert (tmp_path / "model.json").read_text() == "before"


@pytest.mark.parametrize("off", [2e-4, float("nan"), float("inf")])
def test_the_tolerance(off: float) -> None:
    assert checking.within({"extractor": 1e-4, "synthesis": 1e-6}, 0.01).largest == 1e-4
    with pytest.raises(UserError, match="the exported synthesis differs from the network by"):
        checking.within({"extractor": 0.0, "synthesis": off}, 0)
    with pytest.raises(UserError, match="finds other matches in 2 %"):
        checking.within({"extractor": 0.0}, 0.02)


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = TTSR(TTSRConfig(4, (0, 0, 0, 0), (2, 2, 2)))
    monkeypatch.setattr(programs, "find_spec", lambda name: None if name == "onnxruntime" else object())
    with pytest.raises(UserError, match=r"needs onnxruntime: pip install 'ttsr\[export\]'"):
        export_model(model, tmp_path)
    monkeypatch.setattr(torch, "__version__", "2.9.1+cpu")
    with pytest.raises(UserError, match=r"PyTorch 2.9.1\+cpu cannot export the search: install 2.10 or newer"):
        export_model(model, tmp_path, "torch")
    assert list(tmp_path.iterdir()) == []


def test_bad_input_is_one_line(published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    for words, message in (
        (["-o", str(tmp_path / "file"), "--model", str(published)], "file: cannot be written"),
        (["-o", str(tmp_path / "new"), "--model", "nothing"], "no weights are named nothing"),
        (["-o", str(tmp_path / "new"), "--format", "tflite"], "tflite"),
        ([], "--out"),
    ):
        assert main(["export", *words]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
    assert not (tmp_path / "new").exists()
