"""The fields of a recipe in the help of `ttsr train`, and as options that a shell completes."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import docstring_parser
from cyclopts import App, Parameter

from ttsr.training.recipe import Recipe
from ttsr.training.recipe_text import field_descriptions


@dataclass(frozen=True)
class _Described:
    """A field of a recipe.

    Attributes:
        name: dotted, such as `optimizer.lr`.
        kind: its type.
        text: what it means.
        default: what it is where a recipe does not say, as it would be typed; empty for none.
    """

    name: str
    kind: Any
    text: str
    default: str

    @property
    def choices(self) -> list[str]:
        """What it may be; empty where it may be anything of its type."""
        return [str(choice) for choice in get_args(self.kind)] if get_origin(self.kind) is Literal else []


def field_list() -> str:
    """All fields in Markdown, by section: what they mean, and what they are where a recipe does not say."""
    parts: dict[str, list[str]] = {}
    sections = _sections(Recipe)
    for field in _all_fields(Recipe(name="any")):
        unnamed = [choice for choice in field.choices if choice not in field.text]
        more = [f"[choices: {', '.join(field.choices)}]"] if unnamed else []
        more += [f"[default: {field.default}]"] if field.default else []
        line = " ".join([f"- `--{field.name}`: {field.text}", *more])
        parts.setdefault(field.name.rpartition(".")[0], []).append(line)
    titles = {section: f"`{section}`: {sections[section]}\n\n" if section else "" for section in parts}
    return "\n\n".join(titles[section] + "\n".join(lines) for section, lines in parts.items())


def with_fields(train: Callable[..., Any]) -> App:
    """The command `train` with each field as an option of its own, for completion: not to be run."""
    own = inspect.signature(train, eval_str=True)
    more = [
        inspect.Parameter(
            field.name.replace(".", "__"),
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                field.kind if field.choices else str, Parameter(name=f"--{field.name}", help=field.text)
            ],
        )
        for field in _all_fields(Recipe(name="any"))
    ]

    def completed(*_: object, **__: object) -> None: ...

    completed.__doc__ = train.__doc__
    completed.__signature__ = own.replace(parameters=[*own.parameters.values(), *more])  # pyright: ignore[reportFunctionMemberAccess]
    app = App(name="train")
    app.default(completed)
    return app


def _all_fields(options: Any, prefix: str = "") -> Iterator[_Described]:
    hints, texts = get_type_hints(type(options)), field_descriptions(type(options))
    for field in fields(options):
        name, value = field.name, getattr(options, field.name)
        if is_dataclass(value):
            yield from _all_fields(value, f"{prefix}{name}.")
        else:
            has_default = field.default is not MISSING or field.default_factory is not MISSING
            yield _Described(prefix + name, hints[name], texts[name], _typed(value) if has_default else "")


def _sections(kind: type, prefix: str = "") -> dict[str, str]:
    """What each section is about, from the `Attributes:` of its owner."""
    parsed = docstring_parser.parse(kind.__doc__ or "", docstring_parser.DocstringStyle.GOOGLE)
    texts, found = {entry.arg_name: entry.description or "" for entry in parsed.params}, {}
    for name, hint in get_type_hints(kind).items():
        if is_dataclass(hint) and isinstance(hint, type):
            found[prefix + name] = " ".join(texts[name].split())
            found |= _sections(hint, f"{prefix}{name}.")
    return found


def _typed(value: object) -> str:
    """A value as it would be typed; empty for an empty one."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]" if value else ""
    return str(value)
