"""Importing a mutant in place of a module, whose file stays as it is."""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType

SITE = f"""
import sys
sys.path.append({str(Path(__file__).parents[1])!r})
from mutation.mutant_import import install
install({{module!r}}, {{source!r}})
"""
"""A `sitecustomize.py`, which Python runs as it starts if it lies in a folder of PYTHONPATH; to be formatted."""


def install(module: str, source: str) -> None:
    """Import `module` from this source in this process, which must not have imported it before."""
    sys.meta_path.insert(0, _MutantFinder(module, source))


class _MutantFinder(importlib.abc.MetaPathFinder):
    def __init__(self, module: str, source: str) -> None:
        self.module, self.source = module, source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        assert spec is not None and spec.origin is not None
        loader = _MutantLoader(fullname, spec.origin, self.source)
        return importlib.util.spec_from_file_location(fullname, spec.origin, loader=loader)


class _MutantLoader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, source: str) -> None:
        super().__init__(fullname, path)
        self.source = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.source, self.path, "exec", dont_inherit=True)
