"""The documentation as a site: it builds strictly, and its pages load nothing from another host."""

import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import docs_site
import pytest
from architecture_figures import figures
from mkdocs.commands.build import build
from mkdocs.config import load_config
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
# Elements whose address is fetched with the page; those of `a` are only followed.
FETCHED = {"script": "src", "img": "src", "source": "srcset", "iframe": "src", "link": "href", "object": "data"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("NO_MKDOCS_2_WARNING", "1")
        # A broken link, an anchor that is not there, and a page that nav names in vain end the build.
        build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True))
    return folder


class Fetched(HTMLParser):
    """Addresses that a page fetches."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        # What a `link` to a page before or after says is not fetched.
        address = given.get(FETCHED[tag]) if tag in FETCHED and given.get("rel") not in ("prev", "next") else None
        self.found += [address] if address else []
        self.found += re.findall(r"url\(([^)]*)\)", given.get("style") or "")


def fetched(file: Path) -> Iterator[str]:
    text = file.read_text("utf-8")
    if file.suffix == ".html":
        yield from Fetched(text).found
    yield from (address.strip("\"' ") for address in re.findall(r"url\(([^)]*)\)", text) if file.suffix == ".css")
    yield from re.findall(r"@import\s+[\"']([^\"']*)", text)


def test_every_page_is_there_and_in_the_navigation(site: Path) -> None:
    pages = sorted((ROOT / "docs").rglob("*.md"))
    assert len(pages) > 15
    start = (site / "index.html").read_text("utf-8")
    for page in pages:
        address = page.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
        assert (site / address).is_file()
        assert f'href="{address}"' in start


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    files = [file for file in site.rglob("*") if file.suffix in (".html", ".css")]
    addresses = {(file, address) for file in files for address in fetched(file)}
    assert len(addresses) > 100
    assert {(file.name, address) for file, address in addresses if urlsplit(address).netloc} == set()
    for file, address in addresses:
        path = urlsplit(address).path
        if path and not address.startswith("data:") and file.name != "404.html":
            assert (file.parent / unquote(path)).is_file(), f"{file}: {address}"


def test_read_from_the_disk_it_asks_for_nothing_else_and_can_be_searched(site: Path) -> None:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    assert program is not None, "the test needs Chromium: apt-get install chromium (Debian)"
    asked: list[str] = []
    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(color_scheme="dark")
        page.set_default_timeout(120_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto((site / "architecture.html").as_uri())
        shown = page.locator("article img:visible")
        assert [str(image.get_attribute("src")).partition("#")[2] for image in shown.all()] == ["gh-dark-mode-only"] * 2
        page.locator("input[name=query]").press_sequentially("relevance")
        page.locator(".md-search-result__link").first.click()
        page.wait_for_url(re.compile("h=relevance"))
        browser.close()
    assert len(asked) > 10 and errors == []
    assert {address for address in asked if not address.startswith((site.as_uri(), "data:"))} == set()


def test_files_outside_of_docs_are_part_of_it(site: Path) -> None:
    assert (site / "files/examples/train.sbatch").read_bytes() == (ROOT / "examples/train.sbatch").read_bytes()
    assert 'href="files/examples/train.sbatch"' in (site / "training.html").read_text("utf-8")
    assert "Middlebury" in (site / "files/examples/pairs/index.html").read_text("utf-8")


def test_the_notebook_is_a_page_with_its_pictures(site: Path) -> None:
    page = (site / "files/examples/notebook.html").read_text("utf-8")
    assert page.count('src="data:image/jpeg;base64,') == 5
    assert 'href="../../api.html"' in page and 'href="pairs/index.html"' in page
    assert 'href="files/examples/notebook.html"' in (site / "index.html").read_text("utf-8")


def test_links_of_pages_in_folders() -> None:
    for page, address, path in (
        ("tutorials/a.md", "../../examples/demo.py", "examples/demo.py"),
        ("tutorials/a.md", "../upscaling.md", "docs/upscaling.md"),
        ("files/examples/pairs/README.md", "../demo.py", "examples/demo.py"),
    ):
        assert docs_site.in_repository(page, address) == path
    text = "[b](../tools/b.py#L3) [c](c.md) ![d](../examples/d.png) [e](https://e.org/e) [f](#f)"
    assert [*docs_site.outside("a.md", text)] == ["tools/b.py", "examples/d.png"]


def test_the_figures_are_up_to_date() -> None:
    for name, svg in figures().items():
        assert (ROOT / "docs/images" / name).read_text("utf-8") == svg, "run python tools/architecture_figures.py"
