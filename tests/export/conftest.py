"""Exported models: each is made once a run, also of several processes, as it takes seconds."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from ttsr.cli import main
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.saving import save

Exporter = Callable[[str, str, str], Path]

# Before the tests import onnxruntime, which reports its use otherwise.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


@pytest.fixture(scope="session")
def export_once(tmp_path_factory: pytest.TempPathFactory) -> Exporter:
    """Runs `ttsr export` for a model and a format, into a folder that all processes of this run share."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base

    def export(name: str, model: str, file_format: str) -> Path:
        folder = shared / f"exported-{name}"
        with FileLock(shared / f"exported-{name}.lock"):
            if not folder.exists():
                assert main(["export", "--model", model, "--format", file_format, "-o", str(folder)]) == 0
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
    return export_once("lite", "ttsr-lite", "onnx")


@pytest.fixture(scope="session")
def published_onnx(export_once: Exporter, published: Path) -> Path:
    return export_once("published", str(published), "onnx")


@pytest.fixture(scope="session")
def published_programs(export_once: Exporter, published: Path) -> Path:
    return export_once("programs", str(published), "torch")
