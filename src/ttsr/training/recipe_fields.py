"""Options, which are dataclasses, from what YAML gives: every field is checked by its type. Free of torch."""

import math
import reprlib
from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_LISTED = 20

Unknown = dict[str, tuple[list[str], list[str]]]
"""By section: the dotted names of fields that there are not, and the names of those that there are."""


def build(kind: Any, value: Any, where: str = "", given: Mapping[str, Any] | None = None) -> Any:
    """Options of a kind from their YAML.

    Args:
        kind: a dataclass.
        value: what YAML gave for it.
        where: its dotted name; empty for a whole recipe.
        given: values of fields that `value` does not hold, as they are.

    Raises:
        TypeError: a value is of another type than its field.
        ValueError: a field is missing, or the options refuse a value.
    """
    if not isinstance(value, dict):
        raise TypeError(f"{where or 'the file'} must hold named fields, not {reprlib.repr(value)}")
    hints, known, dotted = get_type_hints(kind), {f.name: f for f in fields(kind)}, f"{where}." if where else ""
    needed = [n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING and n not in value]
    if needed:
        raise ValueError(f"missing {', '.join(dotted + name for name in needed)}")
    return kind(**{name: _value(hints[name], item, dotted + name) for name, item in value.items()}, **(given or {}))


def unknown_fields(kind: Any, value: Any, where: str = "", left_out: Collection[str] = ()) -> Unknown:
    """The fields of a YAML that options of a kind do not have, or that are left out of them."""
    if not is_dataclass(kind) or not isinstance(value, dict):
        return {}
    known = [field.name for field in fields(kind) if field.name not in left_out]
    hints, dotted = get_type_hints(kind), f"{where}." if where else ""
    names = [dotted + reprlib.repr(str(name))[1:-1] for name in sorted(value.keys() - set(known), key=str)]
    found: Unknown = {where: (names, known)} if names else {}
    for name in known:
        if name in value:
            found |= unknown_fields(hints[name], value[name], dotted + name)
    return found


def refuse_unknown(unknown: Unknown) -> None:
    """Raise `ValueError` that names them, on one line, if there are any."""
    if not unknown:
        return
    names = [name for of_section, _ in unknown.values() for name in of_section]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    known = [
        f"{f'{section} has' if section and len(unknown) > 1 else 'there are'} {', '.join(there)}"
        for section, (_, there) in unknown.items()
    ]
    raise ValueError(f"unknown field{'s'[: len(names) > 1]} {', '.join(names[:_LISTED])}{more}; {'; '.join(known)}")


def _value(kind: Any, value: Any, where: str) -> Any:
    """A value of a field's type from what YAML gave; `where` is the field's dotted name."""
    if is_dataclass(kind):
        return build(kind, value, where)
    if get_origin(kind) is tuple:
        kinds = get_args(kind)
        endless = kinds[-1] is Ellipsis
        if not isinstance(value, list) or not (endless or len(value) == len(kinds)):
            raise TypeError(
                f"{where} must be a list{'' if endless else f' of {len(kinds)}'}, not {reprlib.repr(value)}"
            )
        wanted = [kinds[0]] * len(value) if endless else kinds
        return tuple(_value(kind, item, where) for kind, item in zip(wanted, value, strict=True))
    if get_origin(kind) in (Literal, Union):
        value = str(value) if type(value) is int and str(value) in get_args(kind) else value  # YAML reads 1 as a number
        if value not in get_args(kind):
            raise ValueError(f"{where} must be one of {', '.join(map(str, get_args(kind)))}, not {reprlib.repr(value)}")
        return value
    if kind is float and type(value) in (int, str):  # YAML 1.1 reads 1e-4 as a string
        try:
            value = float(value)
        except (ValueError, OverflowError):
            raise TypeError(f"{where} must be a number, not {reprlib.repr(value)}") from None
    if kind is float and isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where} must be finite, not {value}")
    if type(value) is not kind:
        raise TypeError(f"{where} must be {kind.__name__}, not {reprlib.repr(value)}")
    return value
