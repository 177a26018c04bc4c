"""Recipes from YAML and command-line overrides, as YAML, and the descriptions of their fields. Free of torch."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import MISSING, asdict, fields, is_dataclass
from importlib import resources
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import docstring_parser
import yaml

from ttsr.errors import RecipeError
from ttsr.training.recipe import Recipe

# Fields that a resumed run may change: its length, and what it writes.
_LENGTH = {"schedule.steps", "schedule.decay_steps"}
_WRITTEN = {"name", "licence", "keep", "checkpoint_steps", "validation_steps", "log_steps"}


def read_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe of the package by name, or one from a YAML file.

    Args:
        name_or_path: a path if it ends in .yaml or .yml.
        overrides: fields to change, as words of the command line: `--optimizer.lr 2e-4` (two words) or
            `--optimizer.lr=2e-4`; values are YAML.

    Raises:
        RecipeError: no such recipe, unreadable YAML, or unknown, missing or invalid fields; all of them are named.
    """
    return parse_recipe(_source(name_or_path), name_or_path, overrides)


def parse_recipe(text: str, where: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe from YAML text; `where` is its name for errors, `overrides` are those of `read_recipe`.

    Raises:
        RecipeError: not YAML, or unknown, missing or invalid fields; all of them are named.
    """
    content = _yaml(text, where)
    if isinstance(content, dict):
        _override(content, overrides)
    try:
        return _build(Recipe, content, "")
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{where}: {error}") from error


def recipe_names() -> list[str]:
    """Names of the recipes of the package."""
    shipped = (file.name for file in (resources.files("ttsr") / "recipes").iterdir())
    return sorted(name.removesuffix(".yaml") for name in shipped if name.endswith(".yaml"))


def recipe_summary(name_or_path: str) -> str:
    """The comment at the head of a recipe.

    Raises:
        RecipeError: no such recipe.
    """
    head = takewhile(lambda line: line.startswith("#"), _source(name_or_path).splitlines())
    return " ".join(line.removeprefix("#").strip() for line in head)


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


def _source(name_or_path: str) -> str:
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise RecipeError(f"{path}: no such recipe file")
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"{path}: unreadable ({error})") from error
    shipped = resources.files("ttsr") / "recipes" / f"{name_or_path}.yaml"
    if not shipped.is_file():
        raise RecipeError(f"{name_or_path}: no such recipe", f"use {', '.join(recipe_names())}, or a .yaml file")
    return shipped.read_text(encoding="utf-8")


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


def _yaml(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"{where}: not YAML ({' '.join(str(error).split())})") from error


def _override(content: dict[str, Any], words: Sequence[str]) -> None:
    """Set the fields that `--a.b 1 --c=2` names, in place."""
    left = iter(words)
    for word in left:
        name, equals, text = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not name:
            raise RecipeError(f"{word}: set fields as --FIELD VALUE, such as --optimizer.lr 2e-4")
        if not equals and (text := next(left, None)) is None:
            raise RecipeError(f"--{name}: the value is missing")
        value, holder = _yaml(text, f"--{name}"), content
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


def _build_dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise TypeError(f"{where or 'the file'} must hold named fields, not {value!r}")
    hints, known, dotted = get_type_hints(kind), {f.name: f for f in fields(kind)}, f"{where}." if where else ""
    if unknown := sorted(value.keys() - known.keys(), key=str):
        names = ", ".join(dotted + str(name) for name in unknown)
        raise ValueError(f"unknown field{'s'[: len(unknown) > 1]} {names}; there are {', '.join(known)}")
    needed = [n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING and n not in value]
    if needed:
        raise ValueError(f"missing {', '.join(dotted + name for name in needed)}")
    return kind(**{name: _build(hints[name], item, dotted + name) for name, item in value.items()})
