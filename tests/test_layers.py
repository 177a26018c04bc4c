"""Imports point one way: a package imports only those before it."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "ttsr"
GROUND = {"errors", "progress", "lazy_imports", "options", "geometry"}
LAYERS = ["system", "images", "models", "registration", "weights", "losses", "data"]
LAYERS += ["inference", "retrieval", "video", "export", "evaluation", "service", "training", "cli"]
PARTS = sorted(path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists())


def imported(file: Path) -> set[str]:
    """The packages and modules of ttsr that a file imports, anywhere in it, also for type checkers only."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"ttsr.{alias.name}" for alias in node.names} if node.module == "ttsr" else {str(node.module)}
    return {name.split(".")[1] for name in names if name.startswith("ttsr.")} & {*PARTS}


@pytest.mark.parametrize("part", [*sorted(GROUND), *LAYERS])
def test_a_package_imports_only_those_before_it(part: str) -> None:
    files = [SOURCE / f"{part}.py"] if part in GROUND else sorted((SOURCE / part).rglob("*.py"))
    allowed = GROUND if part in GROUND else GROUND | {*LAYERS[: LAYERS.index(part) + 1]}
    assert files
    assert {file.name: above for file in files if (above := imported(file) - allowed)} == {}


def test_every_package_has_its_place() -> None:
    assert {*PARTS} - {"__init__", "__main__"} <= GROUND | {*LAYERS} | {"recipes"}
