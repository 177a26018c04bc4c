"""Exported models: each is made once a run, also of several processes, as it takes seconds."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from torch.export import ExportedProgram

from ttsr.cli import main
from ttsr.export.graph_inputs import Part
from ttsr.export.programs import exported
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.saving import save

Exporter = Callable[..., Path]

# Before the tests import onnxruntime, which reports its use otherwise.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


@pytest.fixture(scope="session")
def export_once(tmp_path_factory: pytest.TempPathFactory) -> Exporter:
    """Runs `ttsr export` for a model, into a folder for each format that all processes of this run share."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base

    def export(name: str, model: str, *formats: str) -> Path:
        folder = shared / f"exported-{name}"
        # Tracing takes most of the time, and gives the same for each format.
        traced: dict[str, ExportedProgram] = {}

        def traced_once(part: Part) -> ExportedProgram:
            if part.name not in traced:
                traced[part.name] = exported(part)
            return traced[part.name]

        with FileLock(shared / f"exported-{name}.lock"), pytest.MonkeyPatch.context() as patched:
            if not folder.exists():
                patched.setattr("ttsr.export.exporting.exported", traced_once)
                for file_format in formats:
                    out = str(folder / file_format)
                    assert main(["export", "--model", model, "--format", file_format, "-o", out]) == 0
        return folder

    return export


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network with the published graph and random weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("published") / "published.safetensors"
    save(TTSR(TTSRConfig(8, (1, 1, 1, 1), (8, 16, 32))), path)
    return path


@pytest.fixture(scope="session")
def lite_onnx(export_once: Exporter) -> Path:
    """`ttsr-lite` as ONNX."""
    return export_once("lite", "ttsr-lite", "onnx") / "onnx"


@pytest.fixture(scope="session")
def exported_published(export_once: Exporter, published: Path) -> Path:
    return export_once("published", str(published), "torch", "onnx")


@pytest.fixture(scope="session")
def published_onnx(exported_published: Path) -> Path:
    return exported_published / "onnx"


@pytest.fixture(scope="session")
def published_programs(exported_published: Path) -> Path:
    return exported_published / "torch"
