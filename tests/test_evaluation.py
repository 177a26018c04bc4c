"""What a picture is given as its reference, and what is made of the scores."""

import sys
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from PIL import Image

from ttsr.data.cufed5 import Group, ReferenceChoice, list_groups
from ttsr.errors import DataError, ImageError, UserError
from ttsr.evaluation import evaluate
from ttsr.images.resize import downscale4, upscale4
from ttsr.metrics.protocols import MMAGIC_RGB, PAPER_Y
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR

SIZES = {"000": 2, "001": 1, "002": 3, "003": 1}


@pytest.fixture(scope="module")
def model() -> TTSR:
    torch.manual_seed(0)
    return TTSR(TTSRConfig(4, (1, 1, 1, 1), (4, 4, 4), bicubic_skip=True))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four groups of small pictures with two, one, three and one references; the truth is 42x37."""
    rng = np.random.default_rng(0)
    for name, num_references in SIZES.items():
        for number in range(num_references + 1):
            shape = (37, 42, 3) if number == 0 else (24, 29, 3)
            Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(tmp_path / f"{name}_{number}.png")
    return tmp_path


@pytest.mark.parametrize(
    ("reference", "used"),
    [
        ("1", [["000_1.png"], ["001_1.png"], ["002_1.png"], ["003_1.png"]]),
        ("2", [["000_2.png"], ["001_1.png"], ["002_2.png"], ["003_1.png"]]),
        (
            "all",
            [["000_1.png", "000_2.png"], ["001_1.png"], [f"002_{k}.png" for k in (1, 2, 3)], ["003_1.png"]],
        ),
        ("lr", [[], [], [], []]),
        ("unrelated", [["002_1.png"], ["003_1.png"], ["000_1.png"], ["001_1.png"]]),
    ],
)
def test_references_used(model: TTSR, folder: Path, reference: ReferenceChoice, used: list[list[str]]) -> None:
    report = evaluate(model, list_groups(folder), reference=reference)
    assert [list(picture.references) for picture in report.pictures] == used
    assert [picture.size for picture in report.pictures] == [(40, 36)] * 4
    assert report.substituted == (("001", "003") if reference == "2" else ())


def bicubic_plus(offset: float) -> TTSR:
    """A network whose answer is known: the enlarged LR plus `offset` of [-1, 1]."""
    model = TTSR(TTSRConfig(4, (0, 0, 0, 0), (4, 4, 4), bicubic_skip=True))
    torch.nn.init.zeros_(model.synthesis.merge.tail2.weight)
    torch.nn.init.constant_(cast(torch.Tensor, model.synthesis.merge.tail2.bias), offset)
    return model


def test_bicubic_gains_nothing_over_bicubic(folder: Path) -> None:
    groups = list_groups(folder)
    report = evaluate(bicubic_plus(0), groups)
    assert report.gain(PAPER_Y) == pytest.approx((0, 0), abs=1e-12)
    assert report.gain(MMAGIC_RGB) == pytest.approx((0, 0), abs=1e-4)
    with Image.open(groups[0].hr) as image:
        hr = np.asarray(image)[:36, :40]
    assert report.pictures[0].bicubic["paper-y"] == PAPER_Y.score(hr, upscale4(downscale4(hr)))


def test_means_are_over_pictures(folder: Path) -> None:
    seen = []
    report = evaluate(bicubic_plus(-0.5), list_groups(folder), protocols=[PAPER_Y], on_picture=seen.append)
    assert tuple(seen) == report.pictures
    scores = [picture.model["paper-y"] for picture in report.pictures]
    assert report.model_mean(PAPER_Y) == pytest.approx(tuple(np.mean(scores, axis=0)))
    assert report.gain(PAPER_Y).psnr < 0


def test_model_is_left_as_it_was(model: TTSR, folder: Path) -> None:
    groups = list_groups(folder)[:1]
    model.train()
    evaluate(model, groups)
    assert model.training
    model.eval()
    evaluate(model, groups)
    assert not model.training


def test_group_without_reference(model: TTSR, folder: Path) -> None:
    (folder / "001_1.png").unlink()
    with pytest.raises(DataError, match=r"001_0\.png: it has no reference"):
        evaluate(model, list_groups(folder))
    assert len(evaluate(model, list_groups(folder)[1:2], reference="lr").pictures) == 1


def test_unrelated_needs_two_groups(model: TTSR, folder: Path) -> None:
    with pytest.raises(DataError, match="another group"):
        evaluate(model, list_groups(folder)[:1], reference="unrelated")


def test_truth_too_small_to_score_is_named_before_the_work(model: TTSR, folder: Path) -> None:
    Image.new("RGB", (40, 18)).save(folder / "003_0.png")
    seen = []
    with pytest.raises(ImageError, match=r"003_0\.png: 40x16 .* mmagic-rgb, it takes 19x19 at least"):
        evaluate(model, list_groups(folder), on_picture=seen.append)
    assert seen == []
    assert len(evaluate(model, list_groups(folder), protocols=[PAPER_Y]).pictures) == 4


def test_missing_scikit_image_is_noticed_before_the_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    untouched = bicubic_plus(0)
    calls = []
    untouched.register_forward_hook(lambda *_: calls.append(1))
    with pytest.raises(UserError, match="scikit-image"):
        evaluate(untouched, list_groups(folder))
    assert calls == []


def test_picture_too_small(model: TTSR, tmp_path: Path) -> None:
    tiny = tmp_path / "000_0.png"
    Image.new("RGB", (40, 3)).save(tiny)
    with pytest.raises(ImageError, match="40x3"):
        evaluate(model, [Group("000", tiny, {})], reference="lr")
