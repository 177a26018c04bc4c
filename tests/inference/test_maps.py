"""The files of maps, of results of every kind."""

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ttsr.errors import UserError
from ttsr.images.picture import Picture
from ttsr.images.resize import downscale4, upscale4
from ttsr.inference.map_folders import MAP_FILES
from ttsr.inference.maps import origin_facts, origin_map, write_maps
from ttsr.inference.sizes import upscale_to
from ttsr.inference.upscaler import Upscaler
from ttsr.models.ttsr import TTSR

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return Upscaler(device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def other(leuven: Pixels) -> Pixels:
    """Something else than `aloe`."""
    return leuven[:160, :240]


def written(folder: Path) -> dict[str, Image.Image]:
    assert sorted(path.name for path in folder.iterdir()) == sorted(MAP_FILES)
    return {path.stem: Image.open(path) for path in folder.glob("*.png")}


def test_what_is_written(upscaler: Upscaler, aloe: Pixels, aloe_ref: Pixels, other: Pixels, tmp_path: Path) -> None:
    file, folder = tmp_path / "view.png", tmp_path / "maps"
    folder.mkdir()
    Image.fromarray(aloe_ref[40:220, 80:360]).save(file)
    lr = Picture(downscale4(aloe[80:176, 120:280]))
    result = upscaler.upscale(lr, upscaler.encode_references([other, str(file)]))
    write_maps(result, lr, folder, source=file)
    images = written(folder)
    assert all(image.size[0] == 720 and image.size[1] > 432 for image in images.values())
    with np.load(folder / "matches.npz") as matches:
        for name in ("relevance", "confidence", "index"):
            np.testing.assert_array_equal(matches[name], getattr(result, name))
    facts = json.loads((folder / "provenance.json").read_text())
    digest = sha256(file.read_bytes()).hexdigest()
    assert facts["input"] == {"name": str(file), "sha256": digest, "size": [40, 24]}
    unrelated, used = facts["references"]
    assert (unrelated["use"], unrelated["left_out"], unrelated["share"]) == ("left out", True, 0)
    assert (used["name"], used["sha256"], used["left_out"]) == (str(file), digest, False)
    assert used["size"] == [280, 180] and used["scale"] == pytest.approx(1, abs=0.1)
    assert used["share"] + facts["unmatched"] == pytest.approx(1, abs=1e-3) and used["share"] > 0.5
    # Coloured where there is a match, and only there.
    map_of_places = np.asarray(images["provenance"])[:432].reshape(24, 18, 40, 18, 3)[:, 9, :, 9].astype(int)
    coloured = np.ptp(map_of_places, axis=-1) > 0
    assert coloured.mean() == pytest.approx(used["share"], abs=0.01)


@pytest.mark.parametrize("kind", ["base", "ensemble", "little memory", "two passes", "16 bits", "none", "left out"])
def test_every_kind_of_result(upscaler: Upscaler, aloe: Pixels, other: Pixels, tmp_path: Path, kind: str) -> None:
    hr = aloe[80:128, 120:184]
    lr, reference = Picture(downscale4(hr)), hr
    one = Upscaler(
        upscaler.model,
        device="cpu",
        precision="fp32",
        ensemble=kind == "ensemble",
        max_memory="2GiB" if kind == "little memory" else None,
    )
    if kind == "16 bits":
        lr, reference = Picture(lr.rgb.astype(np.uint16) * 257), reference.astype(np.uint16) * 257
    given = [] if kind == "none" else [other] if kind == "left out" else [reference]
    references = one.encode_references(given)
    if kind == "two passes":
        result = upscale_to(one, lr, (128, 96), references)
    else:
        result = one.upscale(lr, references, base=upscale4(lr.rgb) if kind == "base" else None)
    write_maps(result, lr, tmp_path)
    written(tmp_path)
    facts = json.loads((tmp_path / "provenance.json").read_text())
    assert facts["input"]["name"] is None and facts["input"]["size"] == [16, 12]
    assert [entry["left_out"] for entry in facts["references"]] == [kind == "left out"] * len(given)
    matches = kind not in ("none", "left out")
    assert facts["learned_confidence"] == matches and (facts["unmatched"] < 0.5) == matches
    assert (result.provenance(3, 3) is not None) == matches


def test_a_picture_that_is_its_own_reference(tiny_model: TTSR, tmp_path: Path) -> None:
    lr = Picture(np.random.default_rng(0).integers(0, 256, (3, 9, 3), dtype=np.uint8))
    result = Upscaler(tiny_model, device="cpu").upscale(lr)
    write_maps(result, lr, tmp_path)
    (own,) = json.loads((tmp_path / "provenance.json").read_text())["references"]
    assert (own["use"], own["size"], own["share"]) == ("its own reference", [9, 3], 1)
    assert origin_map(result, lr).size[0] == 720
    assert not origin_facts(result, lr)["learned_confidence"]


def test_a_folder_that_is_gone(tiny_model: TTSR, tmp_path: Path) -> None:
    lr = Picture(np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(UserError, match="gone: the maps cannot be written"):
        write_maps(Upscaler(tiny_model, device="cpu").upscale(lr), lr, tmp_path / "gone")
