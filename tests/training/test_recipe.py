"""Recipes: read, refused, written back."""

import math
from dataclasses import fields, is_dataclass, replace
from itertools import pairwise
from typing import Any, get_type_hints

import docstring_parser
import pytest
import torch

from ttsr.errors import RecipeError
from ttsr.training.recipe import Recipe
from ttsr.training.recipe_options import DiscriminatorOptions, ScheduleOptions
from ttsr.training.recipe_text import (
    described_recipe,
    differences,
    field_descriptions,
    parse_recipe,
    read_recipe,
    recipe_names,
    recipe_summary,
    recipe_text,
)


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_go_to_text_and_back(name):
    recipe = read_recipe(name)
    assert recipe.name == name
    assert parse_recipe(recipe_text(recipe), "again") == recipe
    assert recipe_summary(name).endswith(".")


@pytest.mark.parametrize("name", recipe_names())
def test_a_described_recipe_is_the_same_recipe(name):
    recipe = read_recipe(name)
    assert parse_recipe(described_recipe(recipe), "described") == recipe


def options_classes(kind: Any = Recipe) -> list[type]:
    inner = [hint for hint in get_type_hints(kind).values() if is_dataclass(hint)]
    return [kind, *(options for hint in inner for options in options_classes(hint))]


@pytest.mark.parametrize("kind", options_classes())
def test_every_field_of_every_options_class_has_a_description(kind):
    documented = docstring_parser.parse(kind.__doc__, docstring_parser.DocstringStyle.GOOGLE).params
    assert [entry.arg_name for entry in documented] == [field.name for field in fields(kind)]
    assert all(entry.description for entry in documented)


def test_descriptions_are_one_line_each_by_dotted_name():
    descriptions = field_descriptions()
    assert descriptions["optimizer.lr"] == "learning rate of the synthesis network."
    assert {"name", "photos.warp.rotation", "model.channels"} <= descriptions.keys()
    assert not any("\n" in description or not description for description in descriptions.values())


def test_a_file_is_read(tmp_path):
    (tmp_path / "mine.yaml").write_text("name: mine\nphotos: {warp: {rotation: 5}}\noptimizer: {lr: 1e-4}\n")
    recipe = read_recipe(str(tmp_path / "mine.yaml"))
    assert recipe.photos.warp.rotation == 5.0 and recipe.optimizer.lr == 1e-4
    assert recipe.model.num_blocks == (16, 16, 8, 4)


@pytest.mark.parametrize(
    "text, word",
    [
        ("name: ../../a", "name, also of files, must be short, without /"),
        ("name: .a", "name, also of files, must be short, without /"),
        ('name: "\\e[2J"', "name, also of files, must be short, without /"),
        ("name: a\nmodel: {channels: 1000000000}", "would have more than a billion parameters"),
        ("name: a\nmodel: {num_blocks: [1, 1, 1, 1000000000]}", "thousands of blocks"),
        ("name: a\nbatch_size: 1000000000", "1000000000 crops of 160 px a side are more than a machine computes"),
        ("name: a\ncufed: {ref_size: 1000000000}", "ref_size must be .* at most 4096"),
        ("name: a\nphotos: {warp: {scale: 1e300}}", r"scale must lie in \[0, 3\]"),
        ("name: a\nphotos: {reference_scale: [1e-9, 1]}", "reference_scale must be positive, rising"),
        ("name: a\ndiscriminator: {channels: 1000000000}", "channels must be at most 512"),
        ("name: a\nlosses: {contrastive_anchors: 1000000000}", r"anchors and group must lie in \[1, 4096\]"),
        ("name: a\nschedule: {gamma: 1e300}", r"gamma must lie in \(0, 1\]"),
        ("name: a\nseed: [" + "1," * 5000 + "]", r"seed must be int, not \[1, 1, 1, 1, 1, 1, \.\.\.\]"),
        ("name: a\n" + "".join(f"x{n}: 1\n" for n in range(500)), "unknown fields x0, .* and 480 more; there are name"),
        ('name: a\n"\\e[2J\\n": 1', r"unknown field \\x1b\[2J\\n; there"),
        ("name: a\nstep: 3", "unknown field step; there are name, model"),
        (
            "name: a\nmodel: {width: 3, depth: 1}",
            r"unknown fields model\.depth, model\.width; there are channels, num_bl",
        ),
        (
            "name: a\nstep: 3\nlosses: {gan: 1}\nphotos: {warp: {turn: 1}}\nbatch_size: x",
            r"unknown fields step, photos\.warp\.turn, losses\.gan; there are name, .*; photos\.warp has rotation, .*; "
            r"losses has clamp, ",
        ),
        ("base: 3", "base must be the name of a recipe or of a .yaml file, not 3"),
        ("base: ttsr-huge", "base ttsr-huge: no such recipe: use debug, "),
        ("base: other.yaml", r"base .*other\.yaml: no such recipe file"),
        ("base: mine.yaml", r"its base leads back to itself \(.*mine\.yaml -> .*mine\.yaml\)"),
        ("base: debug", "missing name"),
        ("seed: 3", "missing name"),
        ("name: a\nseed: three", "seed must be int"),
        ("name: a\nseed: 9223372036854775808", "seed must lie in"),
        ("name: a\noptimizer: {lr: .nan}", "optimizer.lr must be finite"),
        ("name: a\nseed: true", "seed must be int"),
        ("name: a\npairs: flickr", "pairs must be one of cufed, photos"),
        ("name: a\nmodel: {num_blocks: [1, 2]}", r"model\.num_blocks must be a list of 4"),
        ("name: a\nmodel: {channels: 0}", "cannot be built"),
        ("name: a\noptimizer: {lr: fast}", r"optimizer\.lr must be a number"),
        ("name: a\nbatch_size: 0", "batch_size must be"),
        ("name: a\nphotos: {hr_size: 30}", "hr_size must be a multiple of 4"),
        ("name: a\nphotos: {group_share: 2.0}", "group_share must lie in"),
        ("name: a\noptimizer: {betas: [1.5, 0.9]}", "betas must lie in"),
        ("name: a\nschedule: {steps: -3}", "steps must be at least 1"),
        ("name: a\nlog_steps: 0", "log_steps and keep must be at least 1"),
        ("name: a\nschedule: {halve_at: 5}", r"schedule\.halve_at must be a list, not 5"),
        ("name: a\nlosses: {contrastive: 1}", "the contrastive loss needs pairs: photos"),
        ("name: a\nextractor: {start: contrastive}", r"needs schedule\.contrastive_steps"),
        (
            "name: a\nlosses: {adversarial_kind: r1}",
            "adversarial_kind must be one of bce, vanilla, lsgan, hinge, wgan",
        ),
        ("name: a\nlosses: {perceptual_layers: [relu6_1]}", "VGG19 has no layer 'relu6_1'"),
        ("name: a\nlosses: {perceptual_layers: []}", "perceptual_layer_weights must be as many as perceptual_layers"),
        ("name: a\nlosses: {style_layers: [relu1_1]}", "style_layer_weights must be as many as style_layers"),
        (
            "name: a\nlosses: {style_layers: ['29', relu5_1], style_layer_weights: [1, 1]}",
            "must not hold a layer twice",
        ),
        ("name: a\nlosses: {perceptual_layer_weights: [-1]}", "weights of losses must not be negative"),
        ("name: a\nlosses: {perceptual_features: extractor, perceptual_layers: [relu1_1]}", "need perceptual_features"),
        (
            "name: a\ncufed: {hr_size: 28}\nlosses: {perceptual: 1, perceptual_layers: [pool5]}",
            "pool5 of VGG19 needs an hr_size of 32 at least",
        ),
        ("name: a\nlosses: {charbonnier_eps: 0}", "charbonnier_eps must be positive"),
        ("name: a\noptimizer: {eps: -1.0}", "eps and weight_decay must not be negative"),
        ("name: a\ndiscriminator: {weight_decay: -1.0}", "eps and weight_decay must not be negative"),
        ("name: a\ndiscriminator: {init_steps: -1}", "init_steps must not be negative"),
        ("name: a\nschedule: {gamma: 0}", r"gamma must lie in \(0, 1\]"),
        ("name: a\nschedule: {step_size: -1}", "numbers of steps must not be negative"),
        ("name: a\nmodel: {res_scale: 0}", "res_scale must be positive"),
        ("name: a\nengine: {precision: fp8}", "precision must be one of fp32, tf32, bf16, fp16"),
        ("- name", "must hold named fields"),
        ("name: [", "not YAML"),
    ],
)
def test_invalid_fields_are_named_with_the_file(text, word, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(RecipeError, match=word) as error:
        read_recipe(str(file))
    assert str(file) in str(error.value) and "\n" not in str(error.value)


def test_an_unreadable_file_is_named(tmp_path):
    (tmp_path / "mine.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(RecipeError, match=r"mine\.yaml: unreadable"):
        read_recipe(str(tmp_path / "mine.yaml"))


def test_unknown_names_list_the_recipes():
    with pytest.raises(RecipeError, match=r"no such recipe: use debug, ttsr-gan_paper_CUFED"):
        read_recipe("ttsr-huge")
    with pytest.raises(RecipeError, match="no such recipe file"):
        read_recipe("nowhere/mine.yaml")


def test_any_field_can_be_set_from_the_command_line():
    words = "--optimizer.lr 2e-4 --schedule.halve_at=[3,5] --photos.warp.rotation 7 --batch-size 3 --pairs photos"
    recipe = read_recipe("ttsr-rec_x4c64b16_1xb9-200k_CUFED", words.split())
    assert recipe.optimizer.lr == 2e-4 and recipe.optimizer.extractor_lr == 1e-5
    assert recipe.schedule.halve_at == (3, 5) and recipe.schedule.steps == 200_000
    assert recipe.photos.warp.rotation == 7.0 and recipe.batch_size == 3 and recipe.pairs == "photos"


@pytest.mark.parametrize(
    "words, complaint",
    [
        ("--optimiser.lr 1", "debug: unknown field optimiser; there are name, model"),
        ("--optimizer.rate 1", r"debug: unknown field optimizer\.rate; there are lr, extractor_lr"),
        ("--optimizer.lr", r"--optimizer\.lr: the value is missing"),
        ("optimizer.lr 1", "set fields as --FIELD VALUE"),
        ("--seed.x 1", "debug: seed must be int, not {'x': 1}"),
        ("--name.x 1", "--name.x: name has no fields of its own"),
        ("--seed=[", "--seed: not YAML"),
    ],
)
def test_invalid_overrides_are_named(words, complaint):
    with pytest.raises(RecipeError, match=complaint):
        read_recipe("debug", words.split())


def test_mmagics_recipes_have_its_values():
    rec = read_recipe("ttsr-rec_x4c64b16_1xb9-200k_CUFED")
    gan = read_recipe("ttsr-gan_x4c64b16_1xb9-500k_CUFED")
    for recipe in (rec, gan):
        assert recipe.model.channels == 64 and recipe.model.num_blocks == (16, 16, 8, 4) and recipe.batch_size == 9
        assert (recipe.optimizer.lr, recipe.optimizer.extractor_lr) == (1e-4, 1e-5) and recipe.crop == 160
        assert recipe.checkpoint_steps == recipe.validation_steps == 5000
        assert recipe.losses.clamp and recipe.initialisation == "mmagic"
    assert rec.schedule == ScheduleOptions(steps=200_000, halve_at=(100_000,))
    assert [gan.schedule.rate_factor(step) for step in (99_999, 100_000, 250_000, 499_999)] == [1, 1 / 2, 1 / 4, 1 / 16]
    assert gan.schedule.pixel_steps == 25_000 and gan.losses.transferal_levels == "sum"
    losses = (gan.losses.rec, gan.losses.perceptual, gan.losses.transferal, gan.losses.adversarial)
    assert losses == (1.0, 1e-2, 1e-2, 1e-3) and gan.losses.adversarial_kind == "bce"
    assert gan.discriminator.steps == 2 and not gan.discriminator.first


def test_the_authors_recipes_have_their_values():
    rec, gan = read_recipe("ttsr-rec_paper_CUFED"), read_recipe("ttsr-gan_paper_CUFED")
    epoch = 11_871 // 9
    assert rec.schedule == ScheduleOptions(steps=200 * epoch)
    assert rec.losses.clamp and gan.losses.clamp and rec.initialisation == gan.initialisation == "pytorch"
    assert gan.schedule == ScheduleOptions(steps=52 * epoch, pixel_steps=2 * epoch)
    assert gan.losses.transferal_levels == "mean" and gan.losses.adversarial_kind == "wgan-gp"
    assert gan.discriminator == DiscriminatorOptions(lr=1e-4, betas=(0, 0.9), steps=2, first=True)


def test_other_recipes_do_not_clamp_and_begin_with_pytorchs_weights():
    for recipe in (read_recipe(name) for name in recipe_names() if not name.startswith(("ttsr-rec", "ttsr-gan"))):
        assert not recipe.losses.clamp and recipe.initialisation == "pytorch"


def test_differences_name_fields_with_both_values():
    before = Recipe("a")
    now = read_recipe("debug")
    assert "batch_size: 9 -> 2" in differences(before, now)
    longer = parse_recipe(recipe_text(now), "longer", ["--schedule.steps=99", "--keep=5", "--log_steps=7"])
    assert differences(now, longer) == []


def test_the_rate_rises_stays_and_falls_to_zero():
    options = ScheduleOptions(steps=100, warmup_steps=10, decay_steps=40)
    rates = [options.rate_factor(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9:60] == [1.0] * 51
    assert rates[80] == pytest.approx(0.5) and 0 < rates[99] < 0.01
    assert all(later <= earlier for earlier, later in pairwise(rates[60:]))
    assert not any(math.isnan(value) for value in rates)


def test_the_rate_halves_at_each_milestone():
    options = ScheduleOptions(steps=50, halve_at=(10, 20), decay_steps=10)
    assert [options.rate_factor(step) for step in (9, 10, 19, 20, 39)] == [1.0, 0.5, 0.5, 0.25, 0.25]
    assert options.rate_factor(45) == pytest.approx(0.125)


def test_the_rate_falls_by_gamma_at_each_milestone_and_every_step_size():
    options = ScheduleOptions(steps=50, halve_at=(10, 20), gamma=0.1)
    assert [options.rate_factor(step) for step in (9, 10, 20)] == pytest.approx([1.0, 0.1, 0.01])
    options = ScheduleOptions(steps=50, step_size=7, gamma=0.3)
    rates = [options.rate_factor(step) for step in range(50)]
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    theirs, scheduler = [], torch.optim.lr_scheduler.StepLR(optimizer, 7, 0.3)
    for _ in range(50):
        theirs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates == pytest.approx(theirs)


def test_a_recipe_takes_from_its_base_what_it_does_not_say(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "lower.yaml").write_text(
        "name: lower\nbase: debug\nphotos: {warp: {rotation: 5}}\noptimizer: {lr: 2e-3}\nschedule: {halve_at: [3]}\n"
    )
    (tmp_path / "upper.yaml").write_text(
        "base: deep/lower.yaml\nname: upper\nphotos: {warp: {scale: 0.1}}\nschedule: {halve_at: [], steps: 7}\nseed: 4"
    )
    debug, upper = read_recipe("debug"), read_recipe(str(tmp_path / "upper.yaml"), ["--ema=0.5"])
    assert upper == replace(
        debug,
        name="upper",
        seed=4,
        ema=0.5,
        photos=replace(debug.photos, warp=replace(debug.photos.warp, rotation=5.0, scale=0.1)),
        optimizer=replace(debug.optimizer, lr=2e-3),
        schedule=replace(debug.schedule, steps=7, halve_at=()),
    )


def test_bases_that_go_in_a_circle_are_refused(tmp_path):
    (tmp_path / "a.yaml").write_text("name: a\nbase: b.yaml\n")
    (tmp_path / "b.yaml").write_text("name: b\nbase: ../" + tmp_path.name + "/a.yaml\n")
    with pytest.raises(
        RecipeError, match=r"b\.yaml: its base leads back to itself \(.*a\.yaml -> .*b\.yaml -> .*a\.yaml\)"
    ):
        read_recipe(str(tmp_path / "a.yaml"))


def test_a_damaged_base_is_named(tmp_path):
    (tmp_path / "a.yaml").write_text("name: a\nbase: b.yaml\n")
    for text, complaint in (
        ("name: [", "b.yaml: not YAML"),
        ("- name", "base .*b.yaml: the file must hold named fields"),
    ):
        (tmp_path / "b.yaml").write_text(text)
        with pytest.raises(RecipeError, match=complaint):
            read_recipe(str(tmp_path / "a.yaml"))
