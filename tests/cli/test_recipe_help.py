"""Every field of a recipe stands in `ttsr train --help`, and is completed by the shells."""

import re
from typing import get_args

import pytest

from ttsr.cli import main
from ttsr.losses.kinds import AdversarialKind
from ttsr.training.recipe_text import field_descriptions, parse_recipe


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What the help says of each field, as one line."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["train", "--help"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    entries = re.findall(r"^ • --([\w.]+): (.*(?:\n   \S.*)*)", out, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def test_the_help_lists_every_field_with_its_meaning(listed: dict[str, str]) -> None:
    descriptions = field_descriptions()
    assert {*listed} == {*descriptions}
    for name, text in descriptions.items():
        words = " ".join(text.replace("`", "").split())
        assert listed[name].startswith(words)


def test_it_says_what_a_field_is_where_a_recipe_does_not_say(listed: dict[str, str]) -> None:
    assert listed["schedule.gamma"].endswith("[default: 0.5]")
    assert listed["model.num_blocks"].endswith("[default: [16, 16, 8, 4]]")
    assert listed["engine.compile"].endswith("[default: false]")
    # The two warps are of one kind and differ in their defaults.
    assert listed["photos.warp.rotation"] != listed["photos.fitted_warp.rotation"]
    assert "[default" not in listed["name"] + listed["stages"]
    # Defaults that are typed change nothing.
    typed = {name: text.partition("[default: ")[2][:-1] for name, text in listed.items() if "[default: " in text}
    assert len(typed) > 80
    words = [word for name, value in typed.items() for word in (f"--{name}", value)]
    assert parse_recipe("name: a", "a", words) == parse_recipe("name: a", "a")


def test_it_names_every_choice(listed: dict[str, str]) -> None:
    assert all(kind in listed["losses.adversarial_kind"] for kind in get_args(AdversarialKind))
    assert "choices" not in listed["search"]  # its description has them


@pytest.mark.parametrize(("shell", "says"), [("bash", '"--{}"'), ("zsh", "*--{}["), ("fish", "-l {} ")])
def test_the_shells_complete_them(shell: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert [name for name in field_descriptions() if says.format(name) not in script] == []
