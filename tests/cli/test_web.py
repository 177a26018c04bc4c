"""`ttsr web`: which server it starts, and which address it tells and opens."""

import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Event, Thread
from typing import Any

import pytest

from ttsr.cli import main
from ttsr.service.settings import ServiceSettings

Served = list[tuple[ServiceSettings, int]]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    """The servers that were started; they end at once."""
    servers: Served = []

    def serve(settings: ServiceSettings, port: int, *, started: Callable[[str], None], **_: Any) -> None:
        servers.append((settings, port))
        started(f"http://{settings.host}:{port}")

    monkeypatch.delenv("TTSR_TOKEN", raising=False)
    monkeypatch.setattr("ttsr.cli.web.serve_until_stopped", serve)
    return servers


def test_this_machine_alone_by_default(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["web", "--no-browser", "--port", "8123", "--device", "cpu"]) == 0
    ((settings, port),) = served
    assert (settings.host, settings.token, port) == ("127.0.0.1", None, 8123)
    assert capsys.readouterr().out == "the page is http://127.0.0.1:8123/\n"


def test_other_machines_need_a_token(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["web", "--no-browser", "--port", "8123", "--host", "0.0.0.0"]) == 0
    ((settings, _),) = served
    assert settings.token is not None and len(settings.token) >= 16
    # An address that others can open.
    assert capsys.readouterr().out == f"the page is http://{socket.gethostname()}:8123/#token={settings.token}\n"


def test_a_token_may_be_given(
    served: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTSR_TOKEN", "0123456789abcdef")
    assert main(["web", "--no-browser", "--port", "8123"]) == 0
    assert capsys.readouterr().out.endswith("/#token=0123456789abcdef\n")
    assert main(["web", "--no-browser", "--token", "short"]) == 2
    assert "the token is too easy to guess" in capsys.readouterr().err


def test_a_usual_port_that_is_taken(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        usual = other.getsockname()[1]
        monkeypatch.setattr("ttsr.cli.web._PORT", usual)
        assert main(["web", "--no-browser"]) == 0
    assert main(["web", "--no-browser"]) == 0
    assert [port for _, port in served] == [0, usual]


def test_the_browser_opens_once_the_server_answers(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, asked = Event(), []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    def open_browser(page: str) -> None:
        asked.append(page)
        opened.set()

    monkeypatch.setattr("webbrowser.open", open_browser)
    with HTTPServer(("127.0.0.1", 0), Server) as server:
        port = server.server_address[1]
        assert main(["web", "--port", str(port)]) == 0
        Thread(target=server.handle_request).start()
        assert opened.wait(60)
    assert asked == ["/healthz", f"http://127.0.0.1:{port}/"]
