"""The notebook of the examples runs, and what stands in it is what it puts out."""

import re
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "examples/notebook.ipynb"


def put_out(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """Of each cell of code its texts, without numbers, which depend on the precision, and the types of its pictures."""
    return [
        [re.sub(r"\d[\d.]*", "#", output.get("text") or min(output.data)) for output in cell.outputs]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OMP_NUM_THREADS", "1")
        # Sockets in a folder of the test's own in place of ports.
        kernel = AsyncKernelManager(transport="ipc", ip=str(tmp_path_factory.mktemp("ipc") / "kernel"))
        NotebookClient(notebook, km=kernel, timeout=300, resources={"metadata": {"path": NOTEBOOK.parent}}).execute()
    return notebook


def test_it_puts_out_what_stands_in_it(executed: nbformat.NotebookNode) -> None:
    committed = nbformat.read(NOTEBOOK, as_version=4)
    assert NOTEBOOK.stat().st_size < 500_000
    assert put_out(executed) == put_out(committed)
    assert sum("image/jpeg" in texts for texts in put_out(committed)) == 5


def test_the_reference_helps_and_threads_agree(executed: nbformat.NotebookNode) -> None:
    text = "".join(output.get("text", "") for cell in executed.cells for output in cell.get("outputs", []))
    bicubic, ours, halves = (float(found) for found in re.findall(r"([\d.]+) dB", text))
    assert ours > bicubic + 3 and halves > bicubic + 3
    assert "left out: False" in text and "matched: True" in text and "equal: [True, True]" in text
