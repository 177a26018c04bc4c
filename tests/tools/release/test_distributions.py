"""What goes into the wheel, and what its bill of materials says."""

import hashlib
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder
from release.bill_of_materials import bill_of_materials
from release.contents import LARGEST_WHEEL, wheel_problems

import ttsr

ROOT = Path(__file__).parents[3]
WEIGHTS = ["ttsr-lite", "ttsr-lite-gan"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the working tree."""
    return Path(next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("dist")))))


def sources() -> list[str]:
    """The files of the package in the working tree."""
    files = (Path(folder, name) for folder, _, names in os.walk(ROOT / "src" / "ttsr") for name in names)
    return [file.relative_to(ROOT).as_posix() for file in files if file.suffix != ".pyc"]


def test_the_wheel_holds_the_package_its_licences_and_nothing_else(wheel: Path) -> None:
    present = sources()
    assert wheel_problems(wheel, present) == []
    assert {"src/ttsr/py.typed", *(f"src/ttsr/weights/files/{name}.safetensors" for name in WEIGHTS)} < {*present}


def test_what_is_missing_or_too_much_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ttsr-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as made:
        for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"):
            made.writestr(f"ttsr-1.0.dist-info/{name}", "")
        made.writestr("ttsr/__init__.py", "")
        made.writestr("tests/photo.png", bytes(LARGEST_WHEEL))
    assert [
        text.removeprefix(f"{path.name}: ") for text in wheel_problems(path, ["src/ttsr/__init__.py", "Makefile"])
    ] == [
        "ttsr-1.0.dist-info/licenses/NOTICE is missing",
        "tests/photo.png does not belong there",
        f"{path.stat().st_size} bytes are more than {LARGEST_WHEEL}",
    ]


def test_the_bill_of_materials_names_the_weights_and_no_installer(wheel: Path) -> None:
    parts = [{"name": name, "bom-ref": f"{name}==1"} for name in ("numpy", "pip")]
    dependencies = [{"ref": "root", "dependsOn": ["numpy==1"]}, {"ref": "numpy==1"}, {"ref": "pip==1"}]
    root: dict[str, Any] = {"name": "ttsr", "bom-ref": "root"}
    bill = bill_of_materials(
        wheel, {"metadata": {"component": root}, "components": parts, "dependencies": dependencies}
    )
    assert (root["version"], root["purl"]) == (ttsr.__version__, f"pkg:pypi/ttsr@{ttsr.__version__}")
    numpy, *models = bill["components"]
    assert numpy["name"] == "numpy"
    for model, name in zip(models, WEIGHTS, strict=True):
        content = (ROOT / "src" / "ttsr" / "weights" / "files" / f"{name}.safetensors").read_bytes()
        assert (model["type"], model["name"]) == ("machine-learning-model", name)
        assert model["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(content).hexdigest()}]
        assert model["licenses"][0]["license"]["id"] == "Apache-2.0"
    references = [f"weights:{name}" for name in WEIGHTS]
    assert bill["dependencies"][0] == {"ref": "root", "dependsOn": ["numpy==1", *references]}
    assert [entry["ref"] for entry in bill["dependencies"]] == ["root", "numpy==1", *references]
