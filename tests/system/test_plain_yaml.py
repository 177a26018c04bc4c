"""YAML that means harm is refused in one line, before it takes memory or time, and runs nothing."""

import time
from pathlib import Path

import pytest
from hostile_checkpoints import BOMB

from ttsr.system.plain_yaml import MOST_CHARACTERS, YamlError, plain_yaml


def test_plain_data() -> None:
    text = "name: a\nlist: [1, 2.5, x]\nnested: {yes: true, 'n': null}\nmerged: {<<: {a: 1}, b: 2}\n"
    assert plain_yaml(text) == {
        "name": "a",
        "list": [1, 2.5, "x"],
        "nested": {True: True, "n": None},
        "merged": {"a": 1, "b": 2},
    }


HOSTILE = {
    "bomb": (BOMB, r"aliases are not taken \(\*a\)"),
    "cycle": ("a: &a [*a]", r"aliases are not taken \(\*a\)"),
    "call": (
        "!!python/object/apply:os.system ['touch MARKER']",
        "could not determine a constructor for the tag .*system",
    ),
    "object": ("a: !!python/object/new:os.system ['touch MARKER']", "could not determine a constructor for the tag"),
    "name": ("!!python/name:os.system", "could not determine a constructor for the tag"),
    "nested lists": ("[" * 90_000, "nested too deeply"),
    "nested fields": ("{a: " * 20_000, "nested too deeply"),
    "dashes": ("- " * 50_000, "nested too deeply"),
    "long": ("a: " + "b" * MOST_CHARACTERS, "longer than 100,000 characters"),
    "digits": ("a: " + "9" * 6000, "a number is too long"),
    "hexadecimal digits": ("a: 0x" + "f" * 6000, "a number is too long"),
    "by sixty": ("a: " + "1:" * 4000 + "1.5", "too large"),
    "twice": ("a: 1\nb: 2\na: 3", r"'a' occurs twice .* line 3"),
    "twice below": ("a: {b: 1, c: 2, b: 3}", "'b' occurs twice"),
    "zero byte": ("a: b\0c", "special characters are not allowed"),
    "surrogate": ("a: \ud800", "special characters are not allowed"),
    "no date": ("a: 2001-99-99", "month must be in 1..12"),
    "list as a name": ("? [a]\n: 1", "found unhashable key"),
    "two documents": ("a: 1\n---\nb: 2", "expected a single document"),
    "no YAML": ("a: [1", "not YAML"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_more_is_refused(case: str, tmp_path: Path) -> None:
    text, reason = HOSTILE[case]
    marker, start = tmp_path / "marker", time.process_time()
    with pytest.raises(YamlError, match=reason) as caught:
        plain_yaml(text.replace("MARKER", str(marker)))
    assert time.process_time() - start < 10  # of the CPU, not of the clock
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600
    assert not marker.exists()
