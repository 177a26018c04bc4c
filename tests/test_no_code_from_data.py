"""Nothing that the package reads can make it run code: what could is used nowhere, or in one place that is named."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import ttsr

SOURCE = Path(ttsr.__file__).parent

FORBIDDEN = {
    *(
        "builtins.eval",
        "builtins.exec",
        "builtins.compile",
        "builtins.__import__",
        "os.system",
        "os.popen",
        "pty.spawn",
        "runpy",
        "code",
    ),
    *("pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle"),
    *("torch.load", "torch.jit.load", "torch.hub", "torch.package", "torch.utils.cpp_extension"),
    *("yaml.load_all", "yaml.unsafe_load", "yaml.full_load", "yaml.Loader", "yaml.UnsafeLoader", "yaml.FullLoader"),
    *("tarfile", "shutil.unpack_archive", "os.spawnl", "os.execv", "os.execvp", "pandas.read_pickle"),
    *("subprocess", "yaml.load", "importlib.import_module"),
}

# Which module may use which of them, and why.
ALLOWED = {
    ("training/environment.py", "subprocess"),  # asks git for the commit, by a list of words
    ("system/plain_yaml.py", "yaml.load"),  # with a loader derived from the safe one
    ("lazy_imports.py", "importlib.import_module"),  # modules of the package
    ("cli/info_facts.py", "importlib.import_module"),  # whether packages on a fixed list can be imported
    ("training/wandb_tracker.py", "importlib.import_module"),  # wandb
}


def uses(tree: ast.AST) -> Iterator[str]:
    """Dotted names of all that a module imports, calls or mentions, as they are outside of it."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                known[name.asname or name.name.partition(".")[0]] = (
                    name.name if name.asname else name.name.partition(".")[0]
                )
                yield name.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                known[name.asname or name.name] = f"{node.module}.{name.name}"
                yield f"{node.module}.{name.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            parts, value = [node.attr], node.value
            while isinstance(value, ast.Attribute):
                parts, value = [value.attr, *parts], value.value
            if isinstance(value, ast.Name) and value.id in known:
                yield ".".join((known[value.id], *parts))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield known.get(node.id, f"builtins.{node.id}")


def dangers(text: str) -> set[str]:
    """What of `FORBIDDEN` a module uses, and arguments that make a harmless function dangerous."""
    tree = ast.parse(text)
    names = set(uses(tree))
    found = {danger for danger in FORBIDDEN for name in names if name == danger or name.startswith(f"{danger}.")}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        for keyword in node.keywords:
            value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
            if (keyword.arg, value) in (("shell", True), ("allow_pickle", True), ("weights_only", False)):
                found.add(f"{keyword.arg}={value}")
    return found


def test_no_module_uses_what_runs_code() -> None:
    files = [file for file in SOURCE.rglob("*.py") if "page" not in file.parts]
    assert len(files) > 150
    found = {(file.relative_to(SOURCE).as_posix(), name) for file in files for name in dangers(file.read_text("utf-8"))}
    assert found == ALLOWED


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("eval('1')", "builtins.eval"),
        ("import builtins as b\nb.exec('1')", "builtins.exec"),
        ("import os as o\no.system('ls')", "os.system"),
        ("from os import system as s\ns('ls')", "os.system"),
        ("import pickle", "pickle"),
        ("from pickle import loads", "pickle"),
        ("import torch\ntorch.load(f, weights_only=False)", "weights_only=False"),
        ("import torch\ntorch.load(f)", "torch.load"),
        ("import numpy as np\nnp.load(f, allow_pickle=True)", "allow_pickle=True"),
        ("import numpy as np\nnp.load(f, allow_pickle=False)", None),
        ("import subprocess\nsubprocess.run(x, shell=True)", "shell=True"),
        ("from yaml import unsafe_load", "yaml.unsafe_load"),
        ("import re\nre.compile('a')\nmodel.eval()", None),
    ],
)
def test_the_test_sees_it(text: str, name: str | None) -> None:
    assert name is None or name in dangers(text)
    assert name is not None or dangers(text) == set()
