"""Hooks of MkDocs. Files outside `docs/` that its pages link to become part of the site.

On GitHub such links lead to the file in the repository; the site has a copy of it below `files/`, in which Markdown and
notebooks are pages. Pages that the navigation does not name stand at the end of its guides.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from posixpath import dirname, normpath, relpath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
FOLDER = "files/"
# Text and address of a link or picture, without an anchor.
_LINK = re.compile(r"\[((?:[^]\\]|\\.)*)\]\((?![\w+.-]+:)([^)\s#]+)([^)]*)\)")


def on_config(config: MkDocsConfig) -> None:
    """Add the pages that the navigation does not name to its guides."""
    nav, docs = config.nav or [], Path(config.docs_dir)
    named = re.findall(r"[\w./-]+\.md", str(nav))
    found = (page.relative_to(docs).as_posix() for page in sorted(docs.rglob("*.md")))
    (guides,) = (part["Guides"] for part in nav if "Guides" in part and isinstance(part, dict))
    guides += [page for page in found if page not in named]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the linked files, and those that they link to themselves if they are pages."""
    waiting = list(files.documentation_pages())
    for page in waiting:
        for path in outside(page.src_uri, page.content_string):
            uri, file = uri_of(path), ROOT / path
            if files.get_file_from_path(uri) is not None or not file.is_file():
                continue
            if file.suffix == ".ipynb":
                added = File.generated(config, uri, content=notebook_page(json.loads(file.read_text("utf-8"))))
            else:
                added = File.generated(config, uri, abs_src_path=str(file))
            files.append(added)
            if added.is_documentation_page():
                waiting.append(added)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to them lead to the copies."""
    uri = page.file.src_uri

    def moved(link: re.Match[str]) -> str:
        text, address, rest = link.groups()
        path = in_repository(uri, address)
        target = path.removeprefix("docs/") if path.startswith("docs/") else uri_of(path)
        return f"[{text}]({relpath(target, dirname(uri) or '.')}{rest})"

    return _LINK.sub(moved, markdown)


def outside(uri: str, markdown: str) -> Iterator[str]:
    """Paths in the repository of what a page of the site links to outside of `docs/`."""
    paths = (in_repository(uri, address) for _, address, _ in _LINK.findall(markdown))
    return (path for path in paths if not path.startswith(("docs/", "..", "/")))


def in_repository(uri: str, address: str) -> str:
    """The path in the repository of what a page of the site links to."""
    folder = dirname(uri.removeprefix(FOLDER)) if uri.startswith(FOLDER) else f"docs/{dirname(uri)}"
    return normpath(f"{folder}/{address}")


def uri_of(path: str) -> str:
    """Where the site has a file of the repository."""
    return FOLDER + re.sub(r"\.ipynb$", ".md", path)


def notebook_page(notebook: dict[str, Any]) -> str:
    """A notebook as Markdown, with the texts and pictures that its cells put out."""
    parts: list[str] = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            picture = output.get("data", {}).get("image/jpeg")
            text = "".join(output.get("text", []))
            parts += [f"![](data:image/jpeg;base64,{''.join(picture.split())})"] if picture else []
            parts += [f"```text\n{text.rstrip()}\n```"] if text else []
    return "\n\n".join(parts) + "\n"
