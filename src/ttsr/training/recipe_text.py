"""Recipes from YAML and command-line overrides, as YAML, and the descriptions of their fields. Free of torch."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import MISSING, asdict, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import docstring_parser
import yaml

from ttsr.errors import RecipeError
from ttsr.training.recipe import Recipe
from ttsr.training.recipe_files import (
    recipe_content,
    recipe_names as recipe_names,
    recipe_source,
    recipe_summary as recipe_summary,
    yaml_value,
)

# Fields that a resumed run may change: its length, and what it writes.
_LENGTH = {"schedule.steps", "schedule.decay_steps"}
_VALIDATION = {"validation_steps", "validation_protocol", "validation_reference"}
_WRITTEN = {"name", "licence", "keep", "checkpoint_steps", "log_steps", *_VALIDATION}


def read_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe of the package by name, or one from a YAML file, completed by its `base` if it names one.

    Args:
        name_or_path: a path if it ends in .yaml or .yml.
        overrides: fields to change, as words of the command line: `--optimizer.lr 2e-4` (two words) or
            `--optimizer.lr=2e-4`; values are YAML.

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
    if isinstance(content, dict):
        _override(content, overrides)
    try:
        if unknown := _unknown(Recipe, content, ""):
            raise ValueError(_complaint(unknown))
        return _build(Recipe, content, "")
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


def differences(before: Recipe, now: Recipe) -> list[str]:
    """Changes that a resumed run must not have, as `field: old -> new`; its length may change."""
    old, new = _flat(_as_dict(before)), _flat(_as_dict(now))
    changed = (name for name in new if new[name] != old[name] and name not in _LENGTH | _WRITTEN)
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
        if is_dataclass(value):
            lines += [f"{indent}{name}:", *_described_lines(value, f"{indent}  ")]
        elif isinstance(value, tuple):
            items = yaml.safe_dump(list(value), default_flow_style=True, width=math.inf)
            lines.append(f"{indent}{name}: {items.rstrip()}")
        else:
            lines.append(indent + yaml.safe_dump({name: value}, width=math.inf).rstrip())
    return lines


def _override(content: dict[str, Any], words: Sequence[str]) -> None:
    """Set the fields that `--a.b 1 --c=2` names, in place."""
    left = iter(words)
    for word in left:
        name, equals, text = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not name:
            raise RecipeError(f"{word}: set fields as --FIELD VALUE, such as --optimizer.lr 2e-4")
        if not equals and (text := next(left, None)) is None:
            raise RecipeError(f"--{name}: the value is missing")
        value, holder = yaml_value(text, f"--{name}"), content
        *parents, last = name.replace("-", "_").split(".")
        for parent in parents:
            holder = holder.setdefault(parent, {})
            if not isinstance(holder, dict):
                raise RecipeError(f"--{name}: {parent} has no fields of its own")
        holder[last] = value


def _as_dict(recipe: Recipe) -> dict[str, Any]:
    """All fields, with lists for tuples, as YAML has them."""
    return asdict(recipe, dict_factory=lambda items: {k: list(v) if isinstance(v, tuple) else v for k, v in items})


def _flat(nested: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def _build(kind: Any, value: Any, where: str) -> Any:
    """A value of a field's type from what YAML gave; `where` is the field's dotted name."""
    if is_dataclass(kind):
        return _build_dataclass(kind, value, where)
    if get_origin(kind) is tuple:
        kinds = get_args(kind)
        endless = kinds[-1] is Ellipsis
        if not isinstance(value, list) or not (endless or len(value) == len(kinds)):
            raise TypeError(f"{where} must be a list{'' if endless else f' of {len(kinds)}'}, not {value!r}")
        wanted = [kinds[0]] * len(value) if endless else kinds
        return tuple(_build(kind, item, where) for kind, item in zip(wanted, value, strict=True))
    if get_origin(kind) in (Literal, Union):
        value = str(value) if type(value) is int and str(value) in get_args(kind) else value  # YAML reads 1 as a number
        if value not in get_args(kind):
            raise ValueError(f"{where} must be one of {', '.join(map(str, get_args(kind)))}, not {value!r}")
        return value
    if kind is float and type(value) in (int, str):  # YAML 1.1 reads 1e-4 as a string
        try:
            value = float(value)
        except ValueError:
            raise TypeError(f"{where} must be a number, not {value!r}") from None
    if kind is float and isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where} must be finite, not {value}")
    if type(value) is not kind:
        raise TypeError(f"{where} must be {kind.__name__}, not {value!r}")
    return value


def _unknown(kind: Any, value: Any, where: str) -> dict[str, tuple[list[str], list[str]]]:
    """By section: the dotted names of all fields that there are not, and the names of those that there are."""
    if not is_dataclass(kind) or not isinstance(value, dict):
        return {}
    hints, known, dotted = get_type_hints(kind), [field.name for field in fields(kind)], f"{where}." if where else ""
    names = [dotted + str(name) for name in sorted(value.keys() - set(known), key=str)]
    found = {where: (names, known)} if names else {}
    for name in known:
        if name in value:
            found |= _unknown(hints[name], value[name], dotted + name)
    return found


def _complaint(unknown: dict[str, tuple[list[str], list[str]]]) -> str:
    """What `_unknown` found, on one line."""
    names = [name for of_section, _ in unknown.values() for name in of_section]
    known = [
        f"{f'{section} has' if section and len(unknown) > 1 else 'there are'} {', '.join(there)}"
        for section, (_, there) in unknown.items()
    ]
    return f"unknown field{'s'[: len(names) > 1]} {', '.join(names)}; {'; '.join(known)}"


def _build_dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise TypeError(f"{where or 'the file'} must hold named fields, not {value!r}")
    hints, known, dotted = get_type_hints(kind), {f.name: f for f in fields(kind)}, f"{where}." if where else ""
    needed = [n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING and n not in value]
    if needed:
        raise ValueError(f"missing {', '.join(dotted + name for name in needed)}")
    return kind(**{name: _build(hints[name], item, dotted + name) for name, item in value.items()})
