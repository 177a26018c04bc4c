"""With the weights of either public implementation, the output is theirs.

The vectors were measured once on the two implementations, with weights that a formula defines.
"""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ttsr.images.resize import blur_by_resize, cut_to_multiple, upscale4
from ttsr.inference.upscaler import Upscaler
from ttsr.models.ttsr import TTSR
from ttsr.weights.layouts import AUTHORS, MMAGIC, Layout
from ttsr.weights.loading import load

GOLDEN = Path(__file__).parent.parent / "golden"
LAYOUTS = {"researchmm": AUTHORS, "mmagic": MMAGIC}
FILES = {"researchmm": "researchmm_TTSR.pt", "mmagic": "mmagic"}


def defined_weight(key: str, shape: list[int]) -> Tensor:
    """A parameter by the formula that the vectors were made with."""
    x = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape)
    if key.endswith("bias"):
        return torch.from_numpy((0.02 * x).astype(np.float32))
    x *= np.sqrt(2 / np.prod(shape[1:]))
    if not key.startswith(("LTE", "extractor")):
        x *= 0.25 if any(mark in key for mark in ("RB", "res_block", ".body.")) else 0.7
    if key.startswith(("MainNet.merge_tail.conv_tail2", "generator.merge_features.conv_last2")):
        x *= 0.12
    return torch.from_numpy(x.astype(np.float32))


def defined_state(name: str, layout: Layout) -> dict[str, Tensor]:
    shapes = json.loads((GOLDEN / "checkpoint_keys.json").read_text())[FILES[name]]
    fixed = layout.normalisation_state()
    return {key: fixed[key] if key in fixed else defined_weight(key, shape) for key, shape in shapes.items()}


@pytest.fixture(scope="module", params=["researchmm", "mmagic"])
def implementation(request, tmp_path_factory) -> tuple[str, TTSR]:
    """A public implementation's name, and its checkpoint as loaded from a file of its layout."""
    name = request.param
    state = defined_state(name, LAYOUTS[name])
    if name == "researchmm":
        file, content = tmp_path_factory.mktemp("weights") / "TTSR.pt", state
    else:
        file, content = tmp_path_factory.mktemp("weights") / "ttsr.pth", {"meta": {}, "state_dict": state}
    torch.save(content, file)
    return name, load(file)


def tensor(image: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize("case", ["same_size", "larger_ref", "odd_ref"])
def test_output_is_that_of_the_public_implementation(implementation, case, device):
    name, model = implementation
    vector = np.load(GOLDEN / f"{name}_{case}.npz")
    lr, ref = vector["lr"], cut_to_multiple(vector["ref"])
    with torch.inference_mode():
        output = model.to(device)(
            tensor(lr).to(device),
            tensor(ref).to(device),
            lr_up=tensor(upscale4(lr)).to(device),
            ref_blur=tensor(blur_by_resize(ref)).to(device),
            block_bytes=100_000,
        )
    assert output.textures is not None
    difference = np.abs(output.sr[0].cpu().numpy() * 2 - 1 - vector["sr"])
    assert (difference > 1e-4).mean() <= 1e-3
    assert np.abs(output.relevance[0, 0].cpu().numpy() - vector["relevance"]).max() <= 1e-5
    coarse, middle, fine = (texture[0].cpu().numpy() for texture in output.textures)
    assert (np.abs(coarse - vector["texture_level3"]) > 1e-4).mean() <= 1e-3
    means = [key for key in vector.files if "mean" in key]
    assert len(means) == 2
    for level, key in ((middle, "2"), (fine, "1")):
        (wanted,) = [vector[name] for name in means if key in name]
        np.testing.assert_allclose(level.mean((1, 2)), wanted, atol=1e-4)


def test_the_upscaler_gives_that_output_in_8_bits(implementation, device):
    name, model = implementation
    vector = np.load(GOLDEN / f"{name}_odd_ref.npz")
    upscaler = Upscaler(model, device=device)
    upscaler.set_references([Image.fromarray(vector["ref"])])
    found = np.asarray(upscaler.upscale(vector["lr"]).image).astype(int)
    wanted = np.rint((vector["sr"].transpose(1, 2, 0) + 1) * 127.5).clip(0, 255).astype(int)
    assert (np.abs(found - wanted) > 0).mean() <= 1e-3
