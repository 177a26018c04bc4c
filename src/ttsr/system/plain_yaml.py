"""YAML as plain data: texts, numbers, lists and named fields, and none of what makes YAML dangerous."""

from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

MOST_CHARACTERS = 100_000
"""Longer texts are refused. The longest recipe of the package takes a fortieth of it."""

_MOST_DIGITS = 100


class YamlError(ValueError):
    """Not YAML, or more than plain data. Its text is the reason, in one line."""


class _PlainLoader(yaml.SafeLoader):
    """Refuses aliases, by which a kilobyte can stand for 2^60 values or for itself, and names that occur twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise ComposerError(None, None, f"aliases are not taken (*{event.anchor})", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise ConstructorError(None, None, f"{key.value[:60]!r} occurs twice", key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep=deep)

    def construct_yaml_int(self, node: Any) -> int:
        if len(self.construct_scalar(node)) > _MOST_DIGITS:
            raise ConstructorError(None, None, "a number is too long", node.start_mark)
        return super().construct_yaml_int(node)


_PlainLoader.add_constructor("tag:yaml.org,2002:int", _PlainLoader.construct_yaml_int)


def plain_yaml(text: str) -> Any:
    """The value that YAML stands for.

    Raises:
        YamlError: it is not YAML, is far longer or deeper than a recipe, or has aliases, tags of Python, or a name
            twice.
    """
    if len(text) > MOST_CHARACTERS:
        raise YamlError(f"not YAML that is read here: longer than {MOST_CHARACTERS:,} characters")
    try:
        return yaml.load(text, _PlainLoader)  # noqa: S506 - a safe loader, with less
    except RecursionError:
        raise YamlError("not YAML that is read here: nested too deeply") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # impossible dates and numbers too
        raise YamlError(f"not YAML ({' '.join(str(error).split())})") from None
