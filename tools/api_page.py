"""Writes docs/api.md, the API reference, from the docstrings of all public names: `python tools/api_page.py`.

Public is what `ttsr` and its packages export. Names of `ttsr` itself are shown in full, those of its packages by the
beginning of their docstrings.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import FunctionType
from typing import Any

from docstring_parser import Docstring, DocstringStyle, parse

import ttsr

PAGE = Path(__file__).parents[1] / "docs/api.md"
PACKAGES = (
    "images",
    "inference",
    "retrieval",
    "video",
    "export",
    "service",
    "models",
    "weights",
    "evaluation",
    "data",
    "losses",
    "training",
    "system",
)
_WIDTH = 100

_BEGINNING = """\
# API reference

<!-- Written by tools/api_page.py from the docstrings; change those, or the tool. -->

`import ttsr` takes a few hundredths of a second: every name is imported on first use. What is not on this page may
change without notice.

- **Models** are named alike everywhere (`Upscaler`, `load`, `ttsr upscale --model`, `start` of a recipe): a name of the
  catalogue, a file, a URL, or `hf://owner/repo[/file][@revision]`, see [below](#models-of-the-hugging-face-hub).
- **Threads.** One `Upscaler` may be used by several threads at once, with other pictures and references in each; the
  results are those of one after another, to the byte. Encoded references are values that threads may share.
- **Errors.** Bad input raises a `UserError`, whose text is one line: what is wrong, where, and what to do about it.
- **Progress.** Long work takes a `Progress`, which is told how far it is and cancels it from any thread.

## Models of the Hugging Face Hub

    pip install "ttsr[hub]"
    ttsr upscale small.jpg --ref sharp.jpg --model hf://owner/repo

```python
from ttsr import TTSR, Provenance, Upscaler

upscaler = Upscaler("hf://owner/repo")
model = TTSR.from_pretrained("owner/repo", revision="v1")  # or a folder, or whatever ttsr.load takes
model.save_pretrained("folder", provenance=Provenance("my photos", licence="CC-BY-4.0"))  # weights and a model card
model.push_to_hub("me/repo", provenance=Provenance("my photos", licence="CC-BY-4.0"))
```

`hf://owner/repo` is the file `model.safetensors` of that repository, which `save_pretrained` and `push_to_hub` write.
Another file is named behind it (`hf://owner/repo/TTSR.pt`), and a branch, tag or commit after an `@`. Files end in
`.safetensors`, `.pt` or `.pth`, and are read like local ones: no code in them is run. They lie in huggingface_hub's
cache, and are found there without a network. `hf auth login` gives access to private repositories, `HF_HOME` moves the
cache, and `HF_ENDPOINT` names a mirror. The extra `hub` installs huggingface_hub (Apache-2.0); nothing else needs it.

The model card has a header that the hub reads (licence, library, tags, and the scores of the provenance as metrics). It
says what the weights are, where they come from, and how to use them.
"""


def page() -> str:
    """The text of docs/api.md."""
    names = sorted(ttsr.__all__, key=lambda name: _is_error(getattr(ttsr, name)))  # otherwise by their modules
    parts = [_BEGINNING, "## Names of ttsr\n", _index(names)]
    for name in names:
        parts.append(_in_full(name, getattr(ttsr, name)))
    parts.append("## Packages\n")
    for package in PACKAGES:
        module = import_module(f"ttsr.{package}")
        parts.append(f"### ttsr.{package}\n\n{first_paragraph(module.__doc__ or '')}\n")
        rows = (f"| `{name}` | {_cell(summary(f'ttsr.{package}', name))} |" for name in module.__all__)
        parts.append("\n".join(["| name | what |", "|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def summary(package: str, name: str) -> str:
    """The first paragraph of the docstring of a package's public name, also of a constant; "" where there is none."""
    module = import_module(getattr(import_module(package), name).__module__) if _is_defined(package, name) else None
    if module is not None:
        return first_paragraph(inspect.getdoc(getattr(module, name)) or "")
    return first_paragraph(_constant_doc(package, name))


def first_paragraph(text: str) -> str:
    """Up to the first empty line, in one line."""
    return " ".join(inspect.cleandoc(text).partition("\n\n")[0].split())


def methods(thing: type) -> Iterator[tuple[str, Any]]:
    """Public functions and properties of a class and of its bases in this package, in the order of their definition."""
    seen: set[str] = set()
    for base in thing.__mro__:
        if not base.__module__.startswith("ttsr"):
            continue
        for name, member in vars(base).items():
            is_method = isinstance(member, FunctionType | classmethod | staticmethod | property)
            if is_method and not name.startswith("_") and name not in seen:
                seen.add(name)
                yield name, member


def _is_defined(package: str, name: str) -> bool:
    return inspect.isclass(value := getattr(import_module(package), name)) or inspect.isfunction(value)


def _constant_doc(package: str, name: str) -> str:
    """The string below a constant, in the module that the package imports it from."""
    for node in ast.walk(_tree(import_module(package))):
        if isinstance(node, ast.ImportFrom) and any(alias.asname == name for alias in node.names):
            body = _tree(import_module(str(node.module))).body
            for statement, following in pairwise(body):
                targets = statement.targets if isinstance(statement, ast.Assign) else []
                targets = [statement.target] if isinstance(statement, ast.AnnAssign) else targets
                named = any(isinstance(target, ast.Name) and target.id == name for target in targets)
                if named and isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                    return str(following.value.value)
    return ""


def _tree(module: Any) -> ast.Module:
    return ast.parse(Path(module.__file__).read_text("utf-8"))


def _index(names: list[str]) -> str:
    links = (f"[`{name}`](#{name.lower()})" for name in names)
    return textwrap.fill(", ".join(links), 120, break_long_words=False, break_on_hyphens=False) + "\n"


def _is_error(thing: Any) -> bool:
    return inspect.isclass(thing) and issubclass(thing, Exception)


def _in_full(name: str, thing: Any) -> str:
    is_error = _is_error(thing)
    parts = [f"### {name}\n"]
    if inspect.isclass(thing):
        parent = f"({thing.__bases__[0].__name__})" if is_error else ""
        init = vars(thing).get("__init__")
        shown = f"class {name}{parent}" if is_error or not _has_source(init) else _signature(f"class {name}", init)
        parts += [_code(shown), _described(inspect.getdoc(thing) or "")]
        if not is_error:
            parts += [_method(name, method, member) for method, member in methods(thing)]
    else:
        parts += [_code(_signature(f"ttsr.{name}", thing)), _described(inspect.getdoc(thing) or "")]
    return "\n".join(parts)


def _method(owner: str, name: str, member: Any) -> str:
    function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
    full = f"{owner}.{name}"
    if isinstance(member, property):
        shown = full + _returned(_definition(function), ": ")
    else:
        shown = _signature(full, function)
    return f"#### {full}\n\n{_code(shown)}\n{_described(inspect.getdoc(function) or '')}"


def _has_source(function: Any) -> bool:
    """Unlike the `__init__` of a dataclass, which is made up."""
    return isinstance(function, FunctionType) and not function.__code__.co_filename.startswith("<")


def _definition(function: Any) -> ast.FunctionDef:
    node = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(node, ast.FunctionDef)
    return node


def _signature(name: str, function: Any) -> str:
    """From the source, since annotations print differently in each version of Python."""
    node = _definition(function)
    arguments = node.args
    if arguments.args and arguments.args[0].arg in ("self", "cls"):
        del arguments.args[0]
    for argument in (*arguments.args, *arguments.kwonlyargs):
        argument.annotation = _without_quotes(argument.annotation)
    returned = _returned(node, " -> ") if not name.startswith("class ") else ""
    parts = [_spaced(part) for part in _split(ast.unparse(arguments).replace("'", '"'))]
    if len(one_line := f"{name}({', '.join(parts)}){returned}") <= _WIDTH:
        return one_line
    lines = (f"    {part}," for part in parts)
    return "\n".join([f"{name}(", *lines, f"){returned}"])


def _returned(node: ast.FunctionDef, before: str) -> str:
    returns = _without_quotes(node.returns)
    return "" if returns is None else before + ast.unparse(returns)


def _without_quotes(annotation: ast.expr | None) -> ast.expr | None:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return ast.parse(annotation.value, mode="eval").body
    return annotation


def _spaced(argument: str) -> str:
    """With spaces around the `=` of an argument that has an annotation."""
    before, _, default = argument.partition("=")
    return f"{before} = {default}" if default and ":" in before else argument


def _split(arguments: str) -> list[str]:
    """At the commas that are not within brackets."""
    parts, depth = [""], 0
    for character in arguments:
        depth += (character in "[(") - (character in "])")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def _described(text: str) -> str:
    """A docstring in Google's format as Markdown."""
    doc: Docstring = parse(text, DocstringStyle.GOOGLE)
    parts = [doc.short_description or "", doc.long_description or ""]
    parts = [*(inspect.cleandoc(part) for part in parts if part)]
    parameters = [f"- `{p.arg_name}`: {_flowing(p.description)}" for p in doc.params]
    raises = [f"- raises `{r.type_name}`: {_flowing(r.description)}" for r in doc.raises]
    returns = [f"- returns {_flowing(doc.returns.description)}"] if doc.returns else []
    listed = "\n".join([*parameters, *returns, *raises])
    return "\n\n".join([*parts, *([listed] if listed else [])]) + "\n"


def _flowing(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "").strip()


def _code(text: str) -> str:
    return f"```python\n{text}\n```\n"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
