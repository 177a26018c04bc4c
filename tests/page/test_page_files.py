"""The files of the page: all there, nothing from elsewhere, nothing within that its policy forbids."""

import re
from html.parser import HTMLParser

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from ttsr.service.page_files import page_files, page_routes


@pytest.fixture(scope="module")
def client() -> TestClient:
    application = FastAPI()
    application.include_router(page_routes)
    return TestClient(application)


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def texts(suffix: str) -> dict[str, str]:
    return {name: file.content.decode() for name, file in page_files().items() if name.endswith(suffix)}


def test_whatever_is_asked_for_is_there(client: TestClient) -> None:
    tags = Tags(client.get("/").text).found
    loaded = [attrs[key] for _, attrs in tags for key in ("src", "href") if attrs.get(key)]
    modules = {f"page/{name}" for text in texts(".js").values() for name in re.findall(r'from "\./(.+)";', text)}
    fetched = {f"page/{name}" for name in re.findall(r'"(example_[a-z.]+)"', texts(".js")["page.js"])}
    assert len(modules) > 10 and len(fetched) == 2
    for path in {*loaded, *modules, *fetched}:
        answer = client.get(f"/{path}")
        assert answer.status_code == 200 and answer.content
    used = {path.removeprefix("page/") for path in {*filter(None, loaded), *modules, *fetched}}
    assert used | {"index.html"} == {*page_files()}


def test_nothing_comes_from_elsewhere_and_nothing_is_inline() -> None:
    for suffix in (".js", ".css", ".html"):
        for name, text in texts(suffix).items():
            assert not re.search(r"https?:|//[a-z]|url\(|@import|eval\(|innerHTML", text.replace("// ", "")), name
    for tag, attrs in Tags(texts(".html")["index.html"]).found:
        assert tag not in ("style", "iframe", "base") and "style" not in attrs
        assert not any(name.startswith("on") for name in attrs)
        assert tag != "script" or attrs.get("src")


def test_answers(client: TestClient) -> None:
    answer = client.get("/")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert client.get("/page/page.js").headers["content-type"] == "text/javascript; charset=utf-8"
    again = client.get("/", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304 and not again.content
    for path in ("/page/nothing.js", "/page/..%2fpage_files.py", "/page/page_files.py", "/page/%2e%2e/settings.py"):
        assert client.get(path).status_code == 404


def test_every_id_that_a_script_names_is_on_the_page() -> None:
    known = {attrs["id"] for _, attrs in Tags(texts(".html")["index.html"]).found if "id" in attrs}
    named = {
        name for text in texts(".js").values() for name in re.findall(r'(?:byId|getElementById)\("([\w-]+)"\)', text)
    }
    assert len(named) > 20 and named <= known
