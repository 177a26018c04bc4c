"""Saved files read back."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from ttsr.errors import WeightsError
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.layouts import AUTHORS, LAYOUTS, MMAGIC, Layout
from ttsr.weights.loading import load
from ttsr.weights.provenance import Metadata, Provenance
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


def test_a_file_is_the_same_bytes_each_time(small: TTSR, tmp_path: Path) -> None:
    """Its metadata too, which the library writes in any order."""
    files = [tmp_path / f"{number}.safetensors" for number in range(2)]
    for file in files:
        save(small, file, provenance=PROVENANCE)
    data = files[0].read_bytes()
    assert data == files[1].read_bytes()
    size = int.from_bytes(data[:8], "little")
    names = [*json.loads(data[8 : 8 + size])["__metadata__"]]
    assert size % 8 == 0 and len(names) > 3 and names == sorted(names)


@pytest.mark.parametrize("beyond", [{"bicubic_skip": True}, {"refinement_radius": 2}, {"res_scale": 0.1}], ids=str)
def test_what_goes_beyond_the_paper_is_kept(
    assert_same_weights: Callable[..., None], beyond: dict[str, Any], tmp_path: Path
) -> None:
    model = TTSR(TTSRConfig(4, (1, 0, 0, 1), (3, 4, 5), **beyond))
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
@pytest.mark.parametrize("beyond", [{"bicubic_skip": True}, {"refinement_radius": 2}], ids=str)
def test_what_goes_beyond_the_paper_has_no_foreign_layout(
    layout: Layout, beyond: dict[str, Any], tmp_path: Path
) -> None:
    model = TTSR(TTSRConfig(4, (0, 0, 0, 0), (3, 4, 5), **beyond))
    with pytest.raises(WeightsError, match=f"{next(iter(beyond))} cannot be written"):
        save(model, tmp_path / "a.pt", layout=layout)


def test_refinement_radius_is_optional_in_metadata(small: TTSR, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save(small, path)
    strings = Metadata(small.config).to_strings()
    config = json.loads(strings["config"])
    del config["refinement_radius"]
    save_file(load_file(path), path, strings | {"config": json.dumps(config)})
    assert load(path).config == small.config


def test_missing_folder(small: TTSR, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be written"):
        save(small, tmp_path / "nowhere" / "a.safetensors")


def test_foreign_file_has_no_metadata(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"no such thing")
    with pytest.raises(WeightsError, match="not a safetensors file"):
        read_metadata(tmp_path / "a.safetensors")


def test_res_scale_is_optional_in_metadata(small: TTSR, tmp_path: Path) -> None:
    """Of 1 it is not even written, so that earlier versions read the file."""
    path = tmp_path / "a.safetensors"
    save(small, path)
    assert "res_scale" not in json.loads(Metadata(small.config).to_strings()["config"])
    assert load(path).config.res_scale == read_metadata(path).config.res_scale == 1.0
    scaled = TTSR(TTSRConfig(4, (1, 0, 0, 1), (3, 4, 5), res_scale=0.25))
    save(scaled, path)
    assert load(path).config == read_metadata(path).config == scaled.config


@pytest.mark.parametrize("value", ["fast", None, True, 0, -1.0, float("nan")])
def test_a_damaged_res_scale_is_refused(value: Any, small: TTSR) -> None:
    strings = Metadata(small.config).to_strings()
    strings["config"] = json.dumps(json.loads(strings["config"]) | {"res_scale": value})
    with pytest.raises(WeightsError, match=r"metadata is damaged \(res_scale"):
        Metadata.from_strings(strings, "a")


@pytest.mark.parametrize("layout", [AUTHORS, MMAGIC], ids=["authors", "mmagic"])
def test_public_layouts_have_res_scale_in_their_weights(layout: Layout, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = TTSR(TTSRConfig(4, (2, 1, 1, 1), (3, 4, 5), res_scale=0.25)).eval()
    save(model, tmp_path / "a.pt", layout=layout)
    read = load(tmp_path / "a.pt")
    assert read.config.res_scale == 1.0
    lr, ref = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(read(lr, ref).sr, model(lr, ref).sr)
