"""Recipes: read, refused, written back."""

import math
from itertools import pairwise

import pytest

from ttsr.errors import RecipeError
from ttsr.training.recipe import ScheduleOptions, parse_recipe, read_recipe, recipe_names, recipe_text
from ttsr.training.schedule import rate


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_go_to_text_and_back(name):
    recipe = read_recipe(name)
    assert recipe.name == name
    assert parse_recipe(recipe_text(recipe), "again") == recipe


def test_a_file_is_read(tmp_path):
    (tmp_path / "mine.yaml").write_text("name: mine\nphotos: {warp: {rotation: 5}}\noptimizer: {lr: 1e-4}\n")
    recipe = read_recipe(str(tmp_path / "mine.yaml"))
    assert recipe.photos.warp.rotation == 5.0 and recipe.optimizer.lr == 1e-4
    assert recipe.model.num_blocks == (16, 16, 8, 4)


@pytest.mark.parametrize(
    "text, word",
    [
        ("name: a\nstep: 3\nmodel: {width: 3}", "unknown field step"),
        ("name: a\nmodel: {width: 3, depth: 1}", r"unknown fields model\.depth, model\.width"),
        ("seed: 3", "missing name"),
        ("name: a\nseed: three", "seed must be int"),
        ("name: a\nseed: true", "seed must be int"),
        ("name: a\ndata: flickr", "data must be one of cufed, photos"),
        ("name: a\nmodel: {num_blocks: [1, 2]}", r"model\.num_blocks must be a list of 4"),
        ("name: a\nmodel: {channels: 0}", "cannot be built"),
        ("name: a\noptimizer: {lr: fast}", r"optimizer\.lr must be a number"),
        ("name: a\nbatch_size: 0", "batch_size must be"),
        ("name: a\nphotos: {hr_size: 30}", "hr_size must be a multiple of 4"),
        ("name: a\nphotos: {group_share: 2.0}", "group_share must lie in"),
        ("name: a\noptimizer: {betas: [1.5, 0.9]}", "betas must lie in"),
        ("name: a\nschedule: {steps: -3}", "steps must be at least 1"),
        ("name: a\nlog_steps: 0", "log_steps: 1 at least"),
        ("- name", "must hold named fields"),
        ("name: [", "not YAML"),
    ],
)
def test_what_does_not_fit_is_named_with_the_file(text, word, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(RecipeError, match=word) as error:
        read_recipe(str(file))
    assert str(file) in str(error.value) and "\n" not in str(error.value)


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "mine.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(RecipeError, match=r"mine\.yaml: cannot be read"):
        read_recipe(str(tmp_path / "mine.yaml"))


def test_unknown_names_list_what_there_is():
    with pytest.raises(RecipeError, match=r"no such recipe; there are debug, ttsr-lite"):
        read_recipe("ttsr-huge")
    with pytest.raises(RecipeError, match="no such recipe file"):
        read_recipe("nowhere/mine.yaml")


def test_the_rate_rises_stays_and_falls_to_zero():
    options = ScheduleOptions(steps=100, warmup_steps=10, decay_steps=40)
    rates = [rate(options, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9:60] == [1.0] * 51
    assert rates[80] == pytest.approx(0.5) and 0 < rates[99] < 0.01
    assert all(later <= earlier for earlier, later in pairwise(rates[60:]))
    assert not any(math.isnan(value) for value in rates)
