"""Public names of a package, imported on first use, so that `ttsr --help` does not wait for torch."""

import ast
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any


def lazy_imports(package: str, file: str, extra: str | None = None) -> Callable[[str], Any]:
    """A package's `__getattr__` (PEP 562), from its `__name__` and `__file__`.

    Its public names are those that it imports as themselves (`from x import name as name`) in a block for type
    checkers. Each is imported from there when it is first asked for. Where that fails for want of a package of `extra`,
    the error tells how to install it.
    """

    @cache
    def modules() -> dict[str, str]:
        nodes = ast.walk(ast.parse(Path(file).read_text("utf-8")))
        imports = [node for node in nodes if isinstance(node, ast.ImportFrom)]
        return {alias.name: str(node.module) for node in imports for alias in node.names if alias.asname}

    def __getattr__(name: str) -> Any:
        if name == "__all__":
            return list(modules())
        if name in modules():
            try:
                return getattr(import_module(modules()[name]), name)
            except ModuleNotFoundError as error:
                missing = error.name or ""
                if extra is None or missing.split(".")[0] == "ttsr":
                    raise
                how = f"pip install 'ttsr[{extra}]'"
            raise ModuleNotFoundError(f"{package}.{name} needs {missing}, which is not installed: {how}", name=missing)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return __getattr__
