"""`ttsr recipes`, and the fields of recipes in the help of `ttsr train`."""

import subprocess
import sys
from dataclasses import replace

import pytest

from ttsr.cli import main
from ttsr.models.config import TTSRConfig
from ttsr.training.recipe_text import field_descriptions, parse_recipe, read_recipe, recipe_names


def test_recipes_are_listed(capsys):
    assert main(["recipes"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    assert listed == recipe_names()


def test_a_shown_recipe_is_a_recipe_with_every_field_described(capsys):
    assert main(["recipes", "ttsr-lite"]) == 0
    text = capsys.readouterr().out
    assert parse_recipe(text, "shown") == read_recipe("ttsr-lite")
    comments = " ".join(line.strip().removeprefix("# ") for line in text.splitlines() if line.strip().startswith("#"))
    assert all(description in comments for description in field_descriptions().values())


def test_a_recipe_file_is_shown_too(tmp_path, capsys):
    file = tmp_path / "mine.yaml"
    file.write_text("# For my photos.\nname: mine\nseed: 3\n")
    assert main(["recipes", str(file)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("# For my photos.\n") and "\nseed: 3\n" in out


def test_a_recipe_with_a_base_is_shown_resolved(tmp_path, capsys):
    file = tmp_path / "mine.yaml"
    file.write_text("# Longer.\nname: mine\nbase: ttsr-rec_x4c64b16_1xb9-200k_CUFED\nschedule: {steps: 300000}\n")
    assert main(["recipes", str(file)]) == 0
    shown = parse_recipe(capsys.readouterr().out, "shown")
    base = read_recipe("ttsr-rec_x4c64b16_1xb9-200k_CUFED")
    assert shown == replace(base, name="mine", schedule=replace(base.schedule, steps=300_000))


def test_an_unknown_recipe_is_one_line(capsys):
    assert main(["recipes", "ttsr-huge"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "ttsr-huge" in err and err.count("\n") == 1


def test_neither_listing_nor_showing_imports_torch():
    program = (
        "import sys; from ttsr.cli import main\n"
        "assert main(['recipes']) == 0 and main(['recipes', 'debug']) == 0\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


def test_the_help_of_train_lists_every_field(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    assert main(["train", "--help"]) == 0
    out = capsys.readouterr().out
    for name, description in field_descriptions().items():
        assert f"--{name}: {description.replace('`', '')}" in out


@pytest.mark.parametrize("name", recipe_names())
def test_only_recipes_of_the_published_network_carry_its_name(name):
    published = read_recipe(name).model == TTSRConfig()
    assert published == name.startswith(("ttsr-rec", "ttsr-gan"))
