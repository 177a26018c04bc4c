import ast
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import ttsr
from ttsr.errors import ImageError, UserError

SOURCE = Path(ttsr.__file__).parent
# Its overrides are words of the command line.
TAKES_WORDS = SOURCE / "training" / "recipe_stages.py"


def test_an_error_says_what_and_how_to_mend_and_survives_another_process():
    error = ImageError("a.png: is a folder", "name a file")
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.what, copy.remedy, str(copy)) == (
        "a.png: is a folder",
        "name a file",
        "a.png: is a folder: name a file",
    )
    assert str(UserError("no such file")) == "no such file"


def texts(file: Path) -> Iterator[str]:
    """All texts in a module but its docstrings."""
    tree = ast.parse(file.read_text("utf-8"))
    documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
            yield node.value


def test_the_library_names_no_flags_of_the_command_line():
    library = [file for file in SOURCE.rglob("*.py") if file.parent.name != "cli" and file != TAKES_WORDS]
    assert len(library) > 100
    flag = re.compile(r"(?<![^\s`'\"(])-(-[a-z]{2}[a-z-]*|[a-z])(?![\w-])")
    assert flag.search("give --out") and flag.search("-o '': names no file") and not flag.search("a - b, well-known")
    found = [f"{file.name}: {text}" for file in library for text in texts(file) if flag.search(text)]
    # They call git, set a variable of CSS, and show a command to the readers of a model card.
    others = ("environment.py", "html_page.py", "hub_card.py")
    assert [entry for entry in found if not entry.startswith(others)] == []
