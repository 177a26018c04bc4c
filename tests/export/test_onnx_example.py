"""examples/onnx_upscale.py: all parts together are the network, without PyTorch and without ttsr."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from ttsr import Upscaler, load
from ttsr.images.picture import to_tensor
from ttsr.images.resize import blur_by_resize, upscale4
from ttsr.models.correspondence.exact import EXACT
from ttsr.models.ttsr import TTSR

SCRIPT = Path(__file__).parents[2] / "examples" / "onnx_upscale.py"
SIZES = [((9, 12), [(40, 48)]), ((17, 5), [(28, 36), (64, 20)]), ((21, 30), [(64, 64)])]
Pixels = NDArray[np.uint8]
Loaded = tuple[Any, TTSR]


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("onnx_upscale", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def lite(example: ModuleType, lite_onnx: Path) -> Loaded:
    return example.Model(lite_onnx), load("ttsr-lite")


@pytest.fixture
def published_network(example: ModuleType, published_onnx: Path, published: Path) -> Loaded:
    return example.Model(published_onnx), load(published)


@pytest.fixture
def programs(example: ModuleType, published_programs: Path, published: Path) -> Loaded:
    """The same steps with programs of torch.export."""
    model, loaded = example.Model(published_programs), {}

    def run(part: str, **values: NDArray[Any]) -> dict[str, NDArray[Any]]:
        stated = model.facts["parts"][part]
        if part not in loaded:
            loaded[part] = torch.export.load(model.folder / stated["file"]).module()
        with torch.no_grad():
            outputs = loaded[part](*(torch.from_numpy(np.ascontiguousarray(values[n])) for n in stated["inputs"]))
        return dict(zip(stated["outputs"], (output.numpy() for output in outputs), strict=True))

    model.run = run
    return model, load(published)


def grainy(pixels: Pixels) -> Pixels:
    """With noise: to random weights many places of a photo are so alike that rounding decides which is the match."""
    noise = np.random.default_rng(0).integers(-60, 61, pixels.shape)
    return (pixels.astype(int) + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("which", ["published_network", "lite", "programs"])
def test_all_parts_together_are_the_network(
    which: str,
    request: pytest.FixtureRequest,
    example: ModuleType,
    aloe: Pixels,
    aloe_ref: Pixels,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exported, network = request.getfixturevalue(which)
    # Smaller than the pictures: they are matched in pieces.
    monkeypatch.setattr(example, "MATCHED", 8)
    for (height, width), sizes in SIZES:
        small = grainy(np.asarray(Image.fromarray(aloe[64:, 100:][: 4 * height, : 4 * width]).resize((width, height))))
        sharp = [grainy(aloe_ref[50 : 50 + h, 80 + 9 * n : 80 + 9 * n + w]) for n, (h, w) in enumerate(sizes)]
        references = [example.encoded_reference(exported, Image.fromarray(pixels)) for pixels in sharp]
        found = example.upscaled(exported, Image.fromarray(small), references)
        with torch.no_grad():
            wanted = network(
                to_tensor(small),
                [to_tensor(pixels) for pixels in sharp],
                lr_up=to_tensor(upscale4(small)),
                ref_blur=[to_tensor(blur_by_resize(pixels)) for pixels in sharp],
                matcher=EXACT,
            ).sr
        assert found.shape == wanted.shape
        assert np.abs(found - wanted.numpy()).max() <= 1e-4
        if network.config.trunk_channels:
            with torch.no_grad():
                alone = network(to_tensor(small), (), lr_up=to_tensor(upscale4(small))).sr
            assert np.abs(example.upscaled(exported, Image.fromarray(small), []) - alone.numpy()).max() <= 1e-4
            assert (alone - wanted).abs().max() > 0.03


def test_tiles_of_the_synthesis_change_nothing(
    example: ModuleType, published_network: Loaded, aloe: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported, _ = published_network
    image = Image.fromarray(aloe[::4, ::4][:40, :50])
    references = [example.encoded_reference(exported, Image.fromarray(aloe[:64, :80]))]
    whole = example.upscaled(exported, image, references)
    # The first tile sees less than all of it.
    assert exported.facts["synthesis_overlap"] < 50 - 16
    monkeypatch.setattr(example, "SYNTHESISED", 16)
    assert np.abs(example.upscaled(exported, image, references) - whole).max() <= 1e-5


def test_the_command_needs_neither_torch_nor_ttsr_and_keeps_what_references_give(
    lite_onnx: Path, aloe: Pixels, aloe_ref: Pixels, tmp_path: Path
) -> None:
    small, sharp, out = (tmp_path / name for name in ("small.png", "sharp.png", "out.png"))
    Image.fromarray(aloe[80:128, 60:132]).resize((18, 12), Image.Resampling.BICUBIC).save(small)
    Image.fromarray(aloe_ref[70:161, 40:143]).save(sharp)
    # A module of this name that fails stands before the real one.
    for name in ("torch", "ttsr"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('not needed')")
    run: Callable[[], Any] = lambda: subprocess.run(  # noqa: E731
        [sys.executable, SCRIPT, lite_onnx, small, out, "--ref", sharp],
        env={"PYTHONPATH": str(tmp_path)},
        check=True,
    )
    run()
    upscaler = Upscaler("ttsr-lite", search="exact", pose="off", match_colour="off", precision="fp32")
    wanted = np.asarray(upscaler.upscale(small, upscaler.encode_references(sharp)).image).astype(int)
    first = np.asarray(Image.open(out)).astype(int)
    assert np.abs(first - wanted).max() <= 1
    kept = tmp_path / "sharp.png.npz"
    written = kept.stat().st_mtime_ns
    out.unlink()
    run()
    assert kept.stat().st_mtime_ns == written
    assert np.array_equal(np.asarray(Image.open(out)), first)
    Image.fromarray(aloe_ref[:91, :103]).save(sharp)  # another picture of the same name
    run()
    assert kept.stat().st_mtime_ns > written
    assert not np.array_equal(np.asarray(Image.open(out)), first)
