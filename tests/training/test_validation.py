"""Validation scores by the recipe's protocol and references."""

import json
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ttsr import load
from ttsr.data.cufed5 import list_groups
from ttsr.evaluation.protocols import PROTOCOLS
from ttsr.evaluation.scoring import evaluate
from ttsr.evaluation.worst_square import worst_square
from ttsr.images.panels import side_by_side
from ttsr.images.resize import downscale4, upscale4
from ttsr.training.loop import train
from ttsr.training.recipe_text import read_recipe, recipe_names, recipe_text
from ttsr.training.run import BEST
from ttsr.training.validation import ValidationScore, validation_picture


def test_recipes_of_mmagic_validate_as_it_does() -> None:
    for name in recipe_names():
        recipe = read_recipe(name)
        mmagic = "x4c64b16_1xb9" in name
        assert (recipe.validation_protocol, recipe.validation_reference) == ("mmagic-rgb" if mmagic else "paper-y", "1")


def test_a_number_is_a_choice_of_references() -> None:
    """YAML reads it as an integer."""
    recipe = read_recipe("debug", ["--validation_reference", "2", "--validation-protocol=c2-matching"])
    assert (recipe.validation_protocol, recipe.validation_reference) == ("c2-matching", "2")
    assert "validation_reference: '2'" in recipe_text(recipe)
    with pytest.raises(ValueError, match="validation_reference must be one of 1, 2, 3, 4, 5, all, stacked"):
        read_recipe("debug", ["--validation_reference", "6"])


def test_scores_by_the_protocol_and_references_of_the_recipe(photos: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    test_set = tmp_path / "CUFED" / "CUFED5"
    test_set.mkdir(parents=True)
    for name in ("000_0", "000_1", "000_2", "001_0", "001_1", "001_2"):
        Image.fromarray(rng.integers(0, 256, (32, 40, 3), np.uint8)).save(test_set / f"{name}.png")
    overrides = ["--schedule.steps=2", "--validation_protocol=mmagic-rgb", "--validation_reference=2"]
    recipe = read_recipe("debug", overrides)
    _, outcome = train(recipe, photos, tmp_path / "run", num_workers=0, test_set=tmp_path / "CUFED")
    protocol = PROTOCOLS["mmagic-rgb"]
    scores = evaluate(load(tmp_path / "run" / BEST), list_groups(test_set), references=["2"], protocols=[protocol])
    ours = [score.model["mmagic-rgb"] for score in scores]
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    (logged,) = (line for line in lines if line.get("kind") == "validation")
    for metric in ("psnr", "ssim", "mae", "gmsd"):
        assert logged[metric] == pytest.approx(fmean(getattr(score, metric) for score in ours), rel=1e-6)
    assert outcome.best is not None
    assert outcome.best == ValidationScore(2, outcome.best.psnr, str(tmp_path / "CUFED"), "mmagic-rgb", "2")


def test_scores_of_another_protocol_do_not_compare() -> None:
    first = ValidationScore(1, 30.0, "set", "paper-y", "1")
    assert first.compares_with(replace(first, step=9, psnr=20.0))
    for other in (replace(first, protocol="mmagic-rgb"), replace(first, reference="2"), replace(first, test_set="t")):
        assert not first.compares_with(other)


def test_a_picture_shows_the_worst_of_bicubic_and_where_its_textures_came_from(
    aloe: np.ndarray, aloe_ref: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, Any] = {}

    def draw(pictures: dict[str, np.ndarray], detail: tuple[int, int], side: int, **options: Any) -> Image.Image:
        drawn.update(pictures=pictures, detail=detail, side=side, **options)
        return side_by_side(pictures, detail, side, **options)

    monkeypatch.setattr("ttsr.training.validation.side_by_side", draw)
    hr, aloe_ref = np.ascontiguousarray(aloe[80:176, 120:280]), aloe_ref[60:220, 110:350]
    Image.fromarray(hr).save(tmp_path / "000_0.png")
    Image.fromarray(aloe_ref).save(tmp_path / "000_1.png")
    sheets: list[np.ndarray] = []
    evaluate(
        load("ttsr-lite"),
        list_groups(tmp_path),
        protocols=[PROTOCOLS["paper-y"]],
        on_picture=lambda _, images: sheets.append(validation_picture(images)),
    )
    assert list(drawn["pictures"])[:5] == ["LR", "reference", "bicubic", "SR", "ground truth"]
    relevance = drawn["pictures"]["relevance, 0 blue to 1 yellow"]
    assert relevance.shape == hr.shape and sheets[0].shape[1] == 6 * 288 + 5 * 6
    side = drawn["side"]
    assert drawn["detail"] == worst_square(hr, upscale4(downscale4(hr)), side) and side == 96
    # What the reference shows at its place is what the detail shows.
    (top, left), (y, x) = drawn["detail"], drawn["elsewhere"]["reference"]
    here, there = hr[top : top + side, left : left + side], aloe_ref[y : y + side, x : x + side]
    assert np.corrcoef(blurred(here), blurred(there))[0, 1] > 0.9


def blurred(pixels: np.ndarray) -> np.ndarray:
    """At an eighth of the size, where small shifts matter little."""
    return np.asarray(Image.fromarray(pixels).resize((12, 12), Image.Resampling.BOX), float).ravel()
