"""Stages of a recipe as YAML holds them: each has a name, and those fields in which it differs from the whole recipe.

Free of torch.
"""

import reprlib
from collections.abc import Sequence
from typing import Any

from ttsr.errors import RecipeError
from ttsr.training.recipe_files import merged, yaml_value

Fields = dict[str, Any]

OF_THE_WHOLE = ("model", "start", "initialisation", "residual_start", "licence", "stages")
"""Fields that all stages share: a stage cannot have its own."""

STAGES = "stages"


def take_stages(content: Fields) -> list[Fields]:
    """Take the stages out of a recipe's YAML.

    Raises:
        TypeError: they are no list of named fields.
        ValueError: one has no name.
    """
    stages = content.pop(STAGES, [])
    if not isinstance(stages, list):
        raise TypeError(f"{STAGES} must be a list, not {reprlib.repr(stages)}")
    for number, stage in enumerate(stages, 1):
        if not isinstance(stage, dict):
            raise TypeError(f"stage {number} must hold named fields, not {reprlib.repr(stage)}")
        if not isinstance(stage.get("name"), str):
            raise ValueError(f"stage {number} must have a name")
    return stages


def completed(stage: Fields, whole: Fields) -> Fields:
    """A stage with the whole's fields where it has none, section by section."""
    return merged(whole, stage)


def difference(stage: Fields, whole: Fields) -> Fields:
    """The fields of a complete stage that differ from the whole's: what `completed` completes."""
    found: Fields = {}
    for name, value in stage.items():
        if isinstance(value, dict):
            if inner := difference(value, whole[name]):
                found[name] = inner
        elif value != whole[name]:
            found[name] = value
    return found


def override(content: Fields, stages: Sequence[Fields], words: Sequence[str]) -> None:
    """Set the fields that `--a.b 1 --c=2` names, in place, in all stages; `--stages.NAME.a.b 1` in that one alone.

    Raises:
        RecipeError: words that are no fields and values, no such stage, or a value that is not YAML.
    """
    left = iter(words)
    for word in left:
        name, equals, text = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not name:
            raise RecipeError(f"{word}: set fields as --FIELD VALUE, such as --optimizer.lr 2e-4")
        if not equals and (text := next(left, None)) is None:
            raise RecipeError(f"--{name}: the value is missing")
        value, path = yaml_value(text, f"--{name}"), name.split(".")
        if path[0] == STAGES and len(path) > 2:
            chosen = [stage for stage in stages if stage["name"] == path[1]]
            if not chosen:
                known = f"there are {', '.join(stage['name'] for stage in stages)}" if stages else "there are none"
                raise RecipeError(f"--{name}: no such stage; {known}")
            _set(chosen[0], path[2:], value, name)
        else:
            _set(content, path, value, name)
            for stage in stages:
                _forget(stage, path)


def _set(holder: Fields, path: Sequence[str], value: Any, name: str) -> None:
    *parents, last = (part.replace("-", "_") for part in path)
    for parent in parents:
        holder = holder.setdefault(parent, {})
        if not isinstance(holder, dict):
            raise RecipeError(f"--{name}: {parent} has no fields of its own")
    holder[last] = value


def _forget(stage: Fields, path: Sequence[str]) -> None:
    """Remove a field from a stage, which then has the whole's; never its name."""
    *parents, last = (part.replace("-", "_") for part in path)
    holder: Any = stage
    for parent in parents:
        holder = holder.get(parent) if isinstance(holder, dict) else None
    if isinstance(holder, dict) and (parents or last != "name"):
        holder.pop(last, None)
