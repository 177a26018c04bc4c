"""The API reference has every public name, and says of each what its docstring says."""

from importlib import import_module
from inspect import getdoc, isclass

import pytest
from api_page import PACKAGES, PAGE, methods, page, summary

import ttsr

PUBLIC = [(package, name) for package in PACKAGES for name in import_module(f"ttsr.{package}").__all__]


@pytest.mark.parametrize(("package", "name"), PUBLIC)
def test_every_public_name_has_a_docstring(package: str, name: str) -> None:
    assert summary(f"ttsr.{package}", name).endswith((".", ":"))
    assert f"| `{name}` | " in PAGE.read_text("utf-8").partition(f"### ttsr.{package}\n")[2]


@pytest.mark.parametrize("name", ttsr.__all__)
def test_names_of_ttsr_are_documented_with_all_their_methods(name: str) -> None:
    thing = getattr(ttsr, name)
    assert getdoc(thing)
    text = PAGE.read_text("utf-8")
    assert f"\n### {name}\n" in text
    for method, member in methods(thing) if isclass(thing) and not issubclass(thing, Exception) else ():
        assert getdoc(member), f"{name}.{method}"
        assert f"\n#### {name}.{method}\n" in text


def test_what_the_readme_and_the_errors_name_is_there() -> None:
    assert {"TTSR", "Upscaler", "Upscaled", "load", "save", "upscale_to", "write_maps", "UserError"} <= {*ttsr.__all__}


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page(), "run python tools/api_page.py"
