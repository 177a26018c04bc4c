"""Recipes as files: those of the package, those of the user, and recipes that are based on another. Free of torch."""

import os
import reprlib
from importlib import resources
from itertools import takewhile
from pathlib import Path
from typing import Any

from ttsr.errors import RecipeError
from ttsr.system.plain_yaml import MOST_CHARACTERS, YamlError, plain_yaml

_SUFFIXES = (".yaml", ".yml")
_MOST_BASES = 20


def recipe_names() -> list[str]:
    """Names of the recipes of the package."""
    shipped = (file.name for file in (resources.files("ttsr") / "recipes").iterdir())
    return sorted(name.removesuffix(".yaml") for name in shipped if name.endswith(".yaml"))


def recipe_summary(name_or_path: str) -> str:
    """The comment at the head of a recipe.

    Raises:
        RecipeError: no such recipe.
    """
    head = takewhile(lambda line: line.startswith("#"), recipe_source(name_or_path).splitlines())
    return " ".join(line.removeprefix("#").strip() for line in head)


def recipe_source(name_or_path: str) -> str:
    """The text of a recipe of the package, or of a file.

    Raises:
        RecipeError: no such recipe, or an unreadable file.
    """
    path = Path(name_or_path)
    if path.suffix in _SUFFIXES:
        if not os.path.isfile(path):  # unlike Path's, not raising on a name that is too long
            raise RecipeError(f"{path}: no such recipe file")
        try:
            with path.open(encoding="utf-8") as file:
                return file.read(MOST_CHARACTERS + 1)  # one more, so that it is refused
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"{path}: unreadable ({error})") from error
    if name_or_path not in recipe_names():
        raise RecipeError(f"{name_or_path}: no such recipe", f"use {', '.join(recipe_names())}, or a .yaml file")
    return (resources.files("ttsr") / "recipes" / f"{name_or_path}.yaml").read_text(encoding="utf-8")


def recipe_content(text: str, where: str) -> Any:
    """What a recipe's YAML holds, completed by the recipe that its `base` names, and that one's by its own.

    A base is a recipe of the package, or a .yaml file, relative to the file that names it. Fields that the recipe has
    itself replace those of its base, section by section; its name is never inherited.

    Args:
        text: the YAML.
        where: name or path of the recipe.

    Raises:
        RecipeError: not YAML, or a base is not found, unreadable, or based on the recipe itself.
    """
    return _completed(text, where, [where])


def yaml_value(text: str, where: str) -> Any:
    """Parse YAML; `where` names it in errors.

    Raises:
        RecipeError: it is not YAML, or more than plain data (see `plain_yaml`).
    """
    try:
        return plain_yaml(text)
    except YamlError as error:
        raise RecipeError(f"{where}: {error}") from error


def merged(below: dict[Any, Any], above: dict[Any, Any]) -> dict[Any, Any]:
    """Both, with the fields of `above` where both have one; sections, which are dictionaries, field by field."""
    both = below | above
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            both[key] = merged(below[key], above[key])
    return both


def _completed(text: str, where: str, chain: list[str]) -> Any:
    """`recipe_content`; `chain` holds the recipes that led here, `where` the last of them."""
    content = yaml_value(text, where)
    if not isinstance(content, dict) or "base" not in content:
        return content
    named = content.pop("base")
    if not isinstance(named, str):
        raise RecipeError(f"{where}: base must be the name of a recipe or of a .yaml file, not {reprlib.repr(named)}")
    is_file, beside = Path(named).suffix in _SUFFIXES, Path(where).parent if Path(where).suffix in _SUFFIXES else Path()
    base = str(beside / named) if is_file else named
    if len(chain) > _MOST_BASES:
        raise RecipeError(f"{where}: more than {_MOST_BASES} recipes are based on each other")
    if _identity(base) in map(_identity, chain):
        raise RecipeError(f"{where}: its base leads back to itself ({' -> '.join([*chain, base])})")
    try:
        source = recipe_source(base)
    except RecipeError as error:
        raise RecipeError(f"{where}: base {error.what}", error.remedy) from error
    below = _completed(source, base, [*chain, base])
    if not isinstance(below, dict):
        raise RecipeError(f"{where}: base {base}: the file must hold named fields, not {reprlib.repr(below)}")
    return merged({key: value for key, value in below.items() if key != "name"}, content)


def _identity(name_or_path: str) -> str:
    path = Path(name_or_path)
    return str(path.resolve()) if path.suffix in _SUFFIXES else name_or_path
