"""docs/service.md and docs/deploy.md, against a server that runs."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from PIL import Image

from ttsr.cli import app

DOCS = Path(__file__).parents[2] / "docs"
SERVICE, DEPLOY = (DOCS / name for name in ("service.md", "deploy.md"))


class Server(Protocol):
    address: str

    def client(self, address: str = ..., **headers: str) -> AbstractContextManager[httpx.Client]: ...


def test_the_python_example_runs(
    server: Server,
    tmp_path: Path,
    png: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```", SERVICE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.jpg").write_bytes(png(24, 20))
    (tmp_path / "sharp.jpg").write_bytes(png(48, 40, 1))
    assert "http://127.0.0.1:8000" in example
    exec(compile(example.replace("http://127.0.0.1:8000", server.address), SERVICE.name, "exec"), {})
    assert Image.open(tmp_path / "large.png").size == (96, 80)
    assert capsys.readouterr().out.splitlines()[-1] == "done 0 100% "


def test_the_requests_that_are_told_are_those_that_there_are(server: Server) -> None:
    page = SERVICE.read_text("utf-8")
    with server.client() as client:
        described = client.get("/openapi.json").json()
    there = {
        (method.upper(), re.sub(r"\{(\w+)\}", "*", path))
        for path, methods in described["paths"].items()
        for method in methods
    }
    told = re.findall(r"^\| `(GET|POST|DELETE) (/v1[^`?]*)", page, re.MULTILINE)
    assert {(method, re.sub(r"\b(ID|NAME|N)\b", "*", path)) for method, path in told} == there
    fields = next(schema for name, schema in described["components"]["schemas"].items() if name.endswith("jobs_post"))
    names = {*fields["properties"]}
    assert names <= {*re.findall(r"`(\w+)`", page)}
    for line in re.findall(r"^curl (.*)$", page, re.MULTILINE):
        assert {*re.findall(r"-F (\w+)=", line)} <= names
        assert re.fullmatch(r".* ?http://127.0.0.1:8000/v1/jobs(/ID(/result)?)?", line)
    answers = {name for schema in described["components"]["schemas"].values() for name in schema.get("properties", {})}
    for row in re.findall(r"^\| `(?:GET|POST|DELETE) .*?\| (.*) \|$", page, re.MULTILINE):
        words = {*re.findall(r"`(\w+)`", row)} - {"null", "png", "jpg", "webp", "tiff"}
        pictures = {"queued", "running", "done", "failed", "cancelled", "bicubic", "without", "provenance"}
        assert words <= answers | pictures, row


def test_limits_and_their_defaults(server: Server) -> None:
    page = DEPLOY.read_text("utf-8")
    options = {option: one for one in app["serve"].assemble_argument_collection() for option in one.names}
    checked = 0
    for names, defaults in re.findall(r"^\| (`--[^|]*`) \| ([^|]*) \|", page, re.MULTILINE):
        for name, default in zip(re.findall(r"`(--[\w-]+)`", names), defaults.split(", "), strict=False):
            value: Any = options[name].field_info.default
            if value is not None:
                assert str(value).removesuffix(".0") == default.removesuffix(" s").strip(), name
                checked += 1
    assert checked == 10
    for option in re.findall(r"`(--[a-z-]+)`", page):
        assert option in options or option in ("--skip-existing",), option


def test_metrics(server: Server) -> None:
    with server.client() as client:
        text = client.get("/metrics").text
    told = re.findall(r"`(ttsr_\w+)(?:\{(\w+)\})?`", DEPLOY.read_text("utf-8"))
    assert len(told) == 10
    families = {*re.findall(r"^# TYPE (\w+)", text, re.MULTILINE)}
    assert {name for name, _ in told} <= families | {f"{family}_total" for family in families}
    assert families <= {name for name, _ in told} | {family for family in families if family.endswith("_created")} | {
        name.removesuffix("_total") for name, _ in told
    }
