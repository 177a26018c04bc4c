import sys
from importlib import import_module
from typing import Any

import pytest

import ttsr
import ttsr.service

PACKAGES = "system images models weights losses data inference evaluation training"


@pytest.mark.parametrize("package", ["ttsr", *(f"ttsr.{name}" for name in PACKAGES.split())])
def test_every_public_name_of_a_package_can_be_imported(package: str) -> None:
    module = import_module(package)
    names = module.__all__
    assert names and all(getattr(module, name) is not None for name in names)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'ttsr' has no attribute 'nothing'"):
        _ = ttsr.nothing


@pytest.mark.parametrize("package", [ttsr, ttsr.service], ids=["ttsr", "ttsr.service"])
def test_a_missing_extra_is_told(monkeypatch: pytest.MonkeyPatch, package: Any) -> None:
    monkeypatch.delitem(sys.modules, "ttsr.service.application", raising=False)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    told = r"ttsr\.service\.create_application needs fastapi, which is not installed: pip install 'ttsr\[web\]'"
    with pytest.raises(ModuleNotFoundError, match=told):
        _ = package.create_application
