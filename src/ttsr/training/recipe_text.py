"""Recipes from YAML and command-line overrides, as YAML, and the descriptions of their fields. Free of torch."""

import math
import reprlib
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, fields, is_dataclass
from typing import Any, get_type_hints

import docstring_parser
import yaml

from ttsr.errors import RecipeError
from ttsr.training.recipe import Recipe
from ttsr.training.recipe_fields import build, refuse_unknown, unknown_fields
from ttsr.training.recipe_files import (
    recipe_content,
    recipe_names as recipe_names,
    recipe_source,
    recipe_summary as recipe_summary,
)
from ttsr.training.recipe_stages import OF_THE_WHOLE, STAGES, completed, difference, override, take_stages

# Fields that a resumed run may change: its length, and what it writes.
_LENGTH = {"schedule.steps", "schedule.decay_steps"}
_VALIDATION = {"validation_steps", "validation_protocol", "validation_reference"}
_WRITTEN = {"name", "licence", "keep", "checkpoint_steps", "log_steps", *_VALIDATION}


def read_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe of the package by name, or one from a YAML file, completed by its `base` if it names one.

    Args:
        name_or_path: a path if it ends in .yaml or .yml.
        overrides: fields to change, as words of the command line: `--optimizer.lr 2e-4` (two words) or
            `--optimizer.lr=2e-4`, in all stages, and `--stages.NAME.optimizer.lr 2e-4` in one; values are YAML.

    Raises:
        RecipeError: no such recipe or base, unreadable YAML, unknown fields, all of which are named, or a missing or
            invalid field.
    """
    return parse_recipe(recipe_source(name_or_path), name_or_path, overrides)


def parse_recipe(text: str, where: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe from YAML text; `where` is its name for errors, `overrides` are those of `read_recipe`.

    Raises:
        RecipeError: not YAML, no such base, unknown fields, all of which are named, or a missing or invalid field.
    """
    content = recipe_content(text, where)
    try:
        if not isinstance(content, dict):
            raise TypeError(f"the file must hold named fields, not {reprlib.repr(content)}")
        stages = take_stages(content)
        override(content, stages, overrides)
        unknown = unknown_fields(Recipe, content, left_out=[STAGES])
        for stage in stages:
            unknown |= unknown_fields(Recipe, stage, f"{STAGES}.{stage['name']}", OF_THE_WHOLE)
        refuse_unknown(unknown)
        return build(Recipe, content, given={STAGES: tuple(_built_stage(stage, content) for stage in stages)})
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{where}: {error}") from error


def recipe_text(recipe: Recipe) -> str:
    """The recipe as YAML with every field; `parse_recipe` reads it."""
    return yaml.safe_dump(_as_dict(recipe), sort_keys=False)


def described_recipe(recipe: Recipe) -> str:
    """The recipe as YAML with every field, and above each its description as a comment; `parse_recipe` reads it."""
    return "\n".join(_described_lines(recipe)) + "\n"


def field_descriptions(kind: Any = Recipe, prefix: str = "") -> dict[str, str]:
    """Descriptions of all fields by dotted name, such as `optimizer.lr`, from the `Attributes:` sections."""
    descriptions, hints, attributes = {}, get_type_hints(kind), _attributes(kind)
    for name in (field.name for field in fields(kind)):
        if is_dataclass(hints[name]):
            descriptions |= field_descriptions(hints[name], f"{prefix}{name}.")
        else:
            descriptions[prefix + name] = attributes[name]
    return descriptions


def differences(before: Recipe, now: Recipe, *, finished: bool = False) -> list[str]:
    """Changes that a resumed run must not have, as `field: old -> new`; its length may change until it is finished."""
    old, new = _flat(_as_dict(before)), _flat(_as_dict(now))
    may_change = _WRITTEN if finished else _LENGTH | _WRITTEN
    changed = (name for name in new if new[name] != old[name] and name not in may_change)
    return [f"{name}: {old[name]} -> {new[name]}" for name in changed]


def _attributes(kind: type) -> dict[str, str]:
    """Name and description of each entry of a class's `Attributes:` section, on one line."""
    parsed = docstring_parser.parse(kind.__doc__ or "", docstring_parser.DocstringStyle.GOOGLE)
    return {entry.arg_name: " ".join((entry.description or "").split()) for entry in parsed.params}


def _described_lines(options: Any, indent: str = "") -> list[str]:
    lines, attributes = [], _attributes(type(options))
    for name in (field.name for field in fields(options)):
        lines += textwrap.wrap(attributes[name], 110, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
        value = getattr(options, name)
        if name == STAGES and value:
            lines += yaml.safe_dump({STAGES: _as_dict(options)[STAGES]}, sort_keys=False, width=math.inf).splitlines()
        elif is_dataclass(value):
            lines += [f"{indent}{name}:", *_described_lines(value, f"{indent}  ")]
        elif isinstance(value, tuple):
            items = yaml.safe_dump(list(value), default_flow_style=True, width=math.inf)
            lines.append(f"{indent}{name}: {items.rstrip()}")
        else:
            lines.append(indent + yaml.safe_dump({name: value}, width=math.inf).rstrip())
    return lines


def _built_stage(stage: dict[str, Any], whole: dict[str, Any]) -> Recipe:
    try:
        return build(Recipe, completed(stage, whole))
    except (TypeError, ValueError) as error:
        raise ValueError(f"stage {stage['name']}: {error}") from error


def _as_dict(recipe: Recipe) -> dict[str, Any]:
    """All fields, with lists for tuples, as YAML has them; of a stage those that differ from the whole's."""
    whole = asdict(recipe, dict_factory=lambda items: {k: list(v) if isinstance(v, tuple) else v for k, v in items})
    stages = [{name: value for name, value in stage.items() if name != STAGES} for stage in whole[STAGES]]
    return whole | {STAGES: [difference(stage, whole) for stage in stages]}


def _flat(nested: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat
