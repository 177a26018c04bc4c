from importlib import import_module

import pytest

import ttsr

PACKAGES = "system images models weights losses data inference evaluation training"


@pytest.mark.parametrize("package", ["ttsr", *(f"ttsr.{name}" for name in PACKAGES.split())])
def test_every_public_name_of_a_package_can_be_imported(package: str) -> None:
    module = import_module(package)
    names = module.__all__
    assert names and all(getattr(module, name) is not None for name in names)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'ttsr' has no attribute 'nothing'"):
        _ = ttsr.nothing
