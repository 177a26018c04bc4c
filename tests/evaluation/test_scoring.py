"""References used, number of forward passes, scores and images, and preflight checks."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from PIL import Image

from ttsr.data.cufed5 import Group, ReferenceChoice, list_groups
from ttsr.errors import DataError, ImageError
from ttsr.evaluation.protocols import C2_MATCHING, MMAGIC_RGB, MMEDIT_RGB, PAPER_Y, PROTOCOLS
from ttsr.evaluation.report import make_rows
from ttsr.evaluation.scored_picture import PictureScore, ScoredImages
from ttsr.evaluation.scoring import evaluate
from ttsr.images.picture import to_tensor
from ttsr.images.resize import downscale4, upscale4
from ttsr.inference.upscaler import Upscaler
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.loading import load


@pytest.mark.parametrize(
    ("reference", "used", "substituted"),
    [
        ("1", [["000_1.png"], ["001_1.png"], ["002_1.png"], ["003_1.png"]], []),
        ("2", [["000_2.png"], ["001_1.png"], ["002_2.png"], ["003_1.png"]], ["001", "003"]),
        (
            "all",
            [["000_1.png", "000_2.png"], ["001_1.png"], [f"002_{k}.png" for k in (1, 2, 3)], ["003_1.png"]],
            [],
        ),
        (
            "stacked",
            [["000_1.png", "000_2.png"], ["001_1.png"], [f"002_{k}.png" for k in (1, 2, 3)], ["003_1.png"]],
            [],
        ),
        ("lr", [[], [], [], []], []),
        ("none", [[], [], [], []], []),
        ("unrelated", [["002_1.png"], ["003_1.png"], ["000_1.png"], ["001_1.png"]], []),
    ],
)
def test_references_used(
    model: TTSR, folder: Path, reference: ReferenceChoice, used: list[list[str]], substituted: list[str]
) -> None:
    scores = evaluate(model, list_groups(folder), references=[reference], protocols=[PAPER_Y])
    assert [list(score.files) for score in scores] == used
    assert [score.name for score in scores if score.substituted] == substituted
    assert [score.size for score in scores] == [(40, 36)] * 4
    assert {score.reference for score in scores} == {reference}


def given(model: TTSR, folder: Path, reference: ReferenceChoice, protocols: list[str]) -> list[list[tuple[int, ...]]]:
    """Sizes of the references of each forward pass over the first group."""
    seen = []
    hook = model.register_forward_pre_hook(lambda _, args: seen.append([tuple(ref.ref.shape[2:]) for ref in args[1]]))
    try:
        evaluate(
            model, list_groups(folder)[:1], references=[reference], protocols=[PROTOCOLS[name] for name in protocols]
        )
    finally:
        hook.remove()
    return seen


def test_images_say_where_textures_came_from(folder: Path) -> None:
    images: list[ScoredImages] = []
    network, groups = load("ttsr-lite"), list_groups(folder)[:1]
    for choice in ("all", "none"):
        evaluate(network, groups, references=[choice], on_picture=lambda _, shown: images.append(shown))
    fitted, none = images
    upscaler = Upscaler(network, device="cpu", precision="fp32")
    expected = upscaler.upscale(fitted.lr, upscaler.encode_references(list(groups[0].files[1:])))
    assert fitted.index.dtype == np.int32 and np.array_equal(fitted.index, expected.index)
    assert none.index.shape == expected.index.shape and (none.index == -1).all()


def test_one_pass_for_each_sizing(model: TTSR, folder: Path) -> None:
    assert given(model, folder, "1", ["paper-y"]) == [[(24, 28)]]
    assert given(model, folder, "1", ["mmagic-rgb", "mmedit-rgb"]) == [[(36, 40)]]
    assert given(model, folder, "all", ["c2-matching"]) == [[(36, 40), (36, 40)]]
    assert given(model, folder, "1", list(PROTOCOLS)) == [[(24, 28)], [(36, 40)], [(36, 40)]]


def test_one_pass_where_all_sizings_agree(model: TTSR, folder: Path) -> None:
    assert given(model, folder, "lr", list(PROTOCOLS)) == [[(8, 8)]]
    assert given(model, folder, "none", list(PROTOCOLS)) == [[]]
    assert given(model, folder, "stacked", list(PROTOCOLS)) == [[(1000, 500)]]
    Image.new("RGB", (40, 36)).save(folder / "000_1.png")
    with Image.open(folder / "000_0.png") as hr:
        hr.crop((0, 0, 40, 36)).save(folder / "000_0.png")
    assert given(model, folder, "1", list(PROTOCOLS)) == [[(36, 40)]]


def bicubic_plus(offset: float) -> TTSR:
    """A network whose answer is known: the enlarged LR plus `offset` of [-1, 1]."""
    model = TTSR(TTSRConfig(4, (0, 0, 0, 0), (4, 4, 4), bicubic_skip=True))
    torch.nn.init.zeros_(model.synthesis.merge.tail2.weight)
    torch.nn.init.constant_(cast(torch.Tensor, model.synthesis.merge.tail2.bias), offset)
    return model


def test_bicubic_gains_nothing_over_bicubic(folder: Path) -> None:
    groups = list_groups(folder)
    scores = evaluate(bicubic_plus(0), groups, protocols=list(PROTOCOLS.values()))
    for score in scores:
        for name, value in score.model.items():
            assert value == pytest.approx(score.bicubic[name], abs=1e-4, nan_ok=True)
    with Image.open(groups[0].files[0]) as image:
        hr = np.asarray(image)[:36, :40]
    assert scores[0].bicubic["paper-y"] == PAPER_Y.score(hr, upscale4(downscale4(hr)))
    assert scores[0].bicubic["mmagic-rgb"] == MMAGIC_RGB.score(hr, upscale4(downscale4(hr)))


def test_c2_matching_degrades_the_padded_ground_truth(folder: Path) -> None:
    groups = list_groups(folder)[:1]
    Image.new("RGB", (44, 36)).save(folder / "000_1.png")
    (score,) = evaluate(bicubic_plus(0), groups, protocols=[C2_MATCHING, PAPER_Y])
    with Image.open(groups[0].files[0]) as image:
        hr = np.asarray(image)[:36, :40]
    padded = np.pad(hr, ((0, 0), (0, 4), (0, 0)))
    assert score.bicubic["c2-matching"] == C2_MATCHING.score(hr, upscale4(downscale4(padded))[:, :40])
    assert score.bicubic["paper-y"] == PAPER_Y.score(hr, upscale4(downscale4(hr)))
    assert score.size == (40, 36)


def test_pictures_shown(model: TTSR, folder: Path) -> None:
    seen: list[tuple[PictureScore, ScoredImages]] = []
    groups = list_groups(folder)[:1]
    scores = evaluate(
        model,
        groups,
        references=["1", "none"],
        protocols=[C2_MATCHING, PAPER_Y],
        on_picture=lambda score, shown: seen.append((score, shown)),
    )
    assert [score for score, _ in seen] == scores
    shown = seen[0][1]
    assert shown.lr.shape == (9, 10, 3)
    assert shown.bicubic.shape == shown.sr.shape == shown.hr.shape == (36, 40, 3)
    assert shown.relevance.shape == (9, 10)
    assert shown.reference is not None and shown.reference.shape == (36, 40, 3)
    # The picture shown is the one scored.
    assert MMEDIT_RGB.score(shown.hr, shown.bicubic) == MMEDIT_RGB.score(shown.hr, upscale4(shown.lr))
    assert C2_MATCHING.score(shown.hr, shown.sr) == scores[0].model["c2-matching"]
    nothing = seen[1][1]
    assert nothing.reference is None
    assert not nothing.relevance.any()


def test_none_is_the_network_without_texture(model: TTSR, folder: Path) -> None:
    (score,) = evaluate(model, list_groups(folder)[:1], references=["none"], protocols=[PAPER_Y])
    with Image.open(folder / "000_0.png") as image:
        hr = np.asarray(image)[:36, :40]
    lr = downscale4(hr)
    with torch.inference_mode():
        sr = model.eval()(to_tensor(lr), (), lr_up=to_tensor(upscale4(lr))).sr
    expected = PAPER_Y.score(hr, sr[0].permute(1, 2, 0).numpy() * 255)
    assert score.model["paper-y"] == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_shares_make_the_whole(model: TTSR, folder: Path) -> None:
    groups = list_groups(folder)
    whole = evaluate(model, groups, references=["1", "lr"])
    shares = [evaluate(model, groups, references=["1", "lr"], share=(rank, 3)) for rank in range(3)]
    assert [[score.number for score in share] for share in shares] == [[0, 0, 3, 3], [1, 1], [2, 2]]
    rows = make_rows("m", whole, ["1", "lr"])
    gathered = make_rows("m", [score for share in shares for score in share], ["1", "lr"])
    for row, other in zip(rows, gathered, strict=True):
        assert [picture.name for picture in other.pictures] == ["000", "001", "002", "003"]
        assert row.model_mean(MMAGIC_RGB) == other.model_mean(MMAGIC_RGB)
        assert [picture.model for picture in row.pictures] == [picture.model for picture in other.pictures]


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
    with pytest.raises(DataError, match=r"001_0\.png: has no reference"):
        evaluate(model, list_groups(folder))
    assert len(evaluate(model, list_groups(folder)[1:2], references=["lr", "none"])) == 2


def test_unrelated_needs_two_groups(model: TTSR, folder: Path) -> None:
    with pytest.raises(DataError, match="another group"):
        evaluate(model, list_groups(folder)[:1], references=["unrelated"])


def test_ground_truth_too_small_to_score_is_a_preflight_error(model: TTSR, folder: Path) -> None:
    Image.new("RGB", (40, 18)).save(folder / "003_0.png")
    seen = []
    with pytest.raises(ImageError, match=r"003_0\.png: 40x16 .* mmagic-rgb: take 19x19 at least"):
        evaluate(model, list_groups(folder), on_picture=lambda *args: seen.append(args))
    assert seen == []
    assert len(evaluate(model, list_groups(folder), protocols=[PAPER_Y])) == 4


def test_unreadable_reference_is_a_preflight_error(model: TTSR, folder: Path) -> None:
    (folder / "003_1.png").write_text("no picture")
    seen = []
    with pytest.raises(ImageError, match=r"003_1\.png: not a picture"):
        evaluate(model, list_groups(folder), on_picture=lambda *args: seen.append(args))
    assert seen == []
    assert len(evaluate(model, list_groups(folder), references=["none"], protocols=[PAPER_Y])) == 4


def test_picture_too_small(model: TTSR, folder: Path) -> None:
    tiny = folder / "000_0.png"
    Image.new("RGB", (40, 3)).save(tiny)
    with pytest.raises(ImageError, match="40x3"):
        evaluate(model, [Group("000", tiny, {})], references=["lr"])


def test_reference_too_small(model: TTSR, folder: Path) -> None:
    Image.new("RGB", (3, 40)).save(folder / "000_1.png")
    with pytest.raises(ImageError, match=r"000_1\.png: 3x40"):
        evaluate(model, list_groups(folder)[:1])
