"""What is written is what is read."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ttsr.errors import WeightsError
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.adapters import AUTHORS, LAYOUTS, MMAGIC, Layout
from ttsr.weights.loading import load
from ttsr.weights.metadata import Provenance
from ttsr.weights.saving import read_metadata, save

PROVENANCE = Provenance(
    source="here",
    recipe="channels: 6\nsteps: 10\n",
    scores={"CUFED5, reference 1, paper-y": {"psnr": 26.99, "ssim": 0.8}},
    licence="CC0-1.0",
)


def test_metadata_there_and_back(small: TTSR, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save(small, path, provenance=PROVENANCE)
    metadata = read_metadata(path)
    assert metadata.config == small.config
    assert metadata.provenance == PROVENANCE


def test_bicubic_skip_is_kept(assert_same_weights: Callable[..., None], tmp_path: Path) -> None:
    model = TTSR(TTSRConfig(4, (1, 0, 0, 1), (3, 4, 5), bicubic_skip=True))
    save(model, tmp_path / "a.safetensors")
    assert_same_weights(load(tmp_path / "a.safetensors"), model)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_half_precision(assert_same_weights: Callable[..., None], layout: Layout, small: TTSR, tmp_path: Path) -> None:
    whole, half = tmp_path / "whole", tmp_path / "half"
    save(small, whole, layout=layout)
    save(small, half, dtype="fp16", layout=layout)
    assert half.stat().st_size < 0.8 * whole.stat().st_size
    model = load(half)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert_same_weights(model, small, tolerance=1e-3)


def test_half_precision_tensors_are_half(small: TTSR, tmp_path: Path) -> None:
    save(small, tmp_path / "a.safetensors", dtype="fp16")
    assert {value.dtype for value in load_file(tmp_path / "a.safetensors").values()} == {torch.float16}


def test_too_large_for_half_precision(tmp_path: Path) -> None:
    model = TTSR(TTSRConfig(4, (0, 0, 0, 0), (3, 4, 5)))
    with torch.no_grad():
        model.synthesis.merge.conv.weight[0, 0, 0, 0] = 1e5
    with pytest.raises(WeightsError, match=r"synthesis\.merge\.conv\.weight has values that are not finite in fp16"):
        save(model, tmp_path / "a.safetensors", dtype="fp16")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("layout", [AUTHORS, MMAGIC], ids=lambda layout: layout.name)
def test_bicubic_skip_has_no_foreign_layout(layout: Layout, tmp_path: Path) -> None:
    model = TTSR(TTSRConfig(4, (0, 0, 0, 0), (3, 4, 5), bicubic_skip=True))
    with pytest.raises(WeightsError, match="bicubic_skip cannot be written"):
        save(model, tmp_path / "a.pt", layout=layout)


def test_folder_that_is_not_there(small: TTSR, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be written"):
        save(small, tmp_path / "nowhere" / "a.safetensors")


def test_foreign_file_has_no_metadata(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"no such thing")
    with pytest.raises(WeightsError, match="no safetensors file"):
        read_metadata(tmp_path / "a.safetensors")
