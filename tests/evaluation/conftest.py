from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR


class PageReader(HTMLParser):
    """Collects tags with their attributes, and the text of the script called `data`; sees that tags close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.data = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["script"] and self.tags[-1][1].get("id") == "data":
            self.data += data

    def images(self) -> dict[str | None, dict[str, str | None]]:
        return {attrs["alt"]: attrs for tag, attrs in self.tags if tag == "img"}


@pytest.fixture(scope="session")
def read_page() -> Callable[[str], PageReader]:
    """Read a whole HTML page, in which every tag must be closed."""

    def read(text: str) -> PageReader:
        reader = PageReader()
        reader.feed(text)
        assert reader.open == []
        return reader

    return read


@pytest.fixture(scope="session")
def model() -> TTSR:
    torch.manual_seed(0)
    return TTSR(TTSRConfig(4, (1, 1, 1, 1), (4, 4, 4), bicubic_skip=True))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four groups of small pictures with two, one, three and one references of 29x24; the ground truths are 42x37."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "set"
    folder.mkdir()
    for name, num_references in {"000": 2, "001": 1, "002": 3, "003": 1}.items():
        for number in range(num_references + 1):
            shape = (37, 42, 3) if number == 0 else (24, 29, 3)
            Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(folder / f"{name}_{number}.png")
    return folder
