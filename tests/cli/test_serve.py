"""`ttsr serve`: what it makes of its options, and how it refuses to start."""

import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ttsr.cli import main
from ttsr.service.settings import MIB, ServiceSettings

DEPLOY = Path(__file__).parents[2] / "deploy"
Served = list[tuple[ServiceSettings, int, dict[str, Any]]]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    """The servers that were started; they end at once."""
    servers: Served = []
    monkeypatch.delenv("TTSR_TOKEN", raising=False)
    monkeypatch.setattr(
        "ttsr.cli.serve.serve_until_stopped", lambda settings, port, **more: servers.append((settings, port, more))
    )
    return servers


def test_this_machine_alone_by_default(served: Served) -> None:
    assert main(["serve"]) == 0
    assert served == [(ServiceSettings(), 8000, {"proxies": ()})]


def test_every_option_reaches_the_service(served: Served) -> None:
    line = (
        "serve --host 0.0.0.0 --port 9 --token 0123456789abcdef --model ttsr-lite --model x.safetensors --device cpu "
        "--workers 3 --threads 2 --max-memory 8GiB --allow-origin https://a.example --allow-host me --proxy 10.0.0.1 "
        "--instance a --queue 5 --jobs-per-client 6 --max-upload 7MB --max-request 8MB --max-pixels 0.5 "
        "--max-reference-pixels 9 --max-refs 10 --max-seconds 11 --keep 12 --keep-bytes 13MB"
    )
    assert main(shlex.split(line)) == 0
    expected = ServiceSettings(
        host="0.0.0.0",
        token="0123456789abcdef",
        models=("ttsr-lite", "x.safetensors"),
        device="cpu",
        workers=3,
        threads=2,
        max_memory=8192 * MIB,
        queue=5,
        jobs_per_client=6,
        upload_bytes=7_000_000,
        request_bytes=8_000_000,
        stored_bytes=13_000_000,
        result_bytes=13_000_000,
        pixels=500_000,
        reference_pixels=9_000_000,
        references=10,
        job_seconds=11,
        keep_seconds=12,
        allow_origins=("https://a.example",),
        allow_hosts=("me",),
        instance="a",
    )
    assert served == [(expected, 9, {"proxies": ("10.0.0.1",)})]


def test_the_token_may_come_from_the_environment(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTSR_TOKEN", "0123456789abcdef")
    assert main(["serve", "--host", "0.0.0.0"]) == 0
    assert served[0][0].token == "0123456789abcdef"


def test_others_have_no_access_without_a_token(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--host", "0.0.0.0"]) == 2 and not served
    expected = "ttsr: 0.0.0.0: others than this machine would have access: set a token for them to send\n"
    assert capsys.readouterr().err == expected


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert main(["serve", "--port", str(other.getsockname()[1])]) == 2
    assert "cannot be listened at (Address already in use): take another" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["fastapi", "sse_starlette"])
def test_without_the_extra(missing: str) -> None:
    program = f"import sys; sys.modules['{missing}'] = None; from ttsr.cli import main; sys.exit(main(['serve']))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    expected = f"ttsr: the service needs {missing}, which is not installed: pip install 'ttsr[web]'\n"
    assert (ended.returncode, ended.stderr) == (2, expected)


def test_a_model_that_is_not_there(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--port", "0", "--device", "cpu", "--model", "nothing.safetensors"]) == 2
    out, err = capfd.readouterr()
    assert "nothing.safetensors" in err.splitlines()[-1] and "Traceback" not in err and not out


def test_the_command_of_the_image_and_those_of_the_composition(served: Served) -> None:
    docker = (DEPLOY / "Dockerfile").read_text()
    (entry,) = re.findall(r"^ENTRYPOINT (\[.*\])$", docker, re.MULTILINE)
    program, *words = re.findall(r'"([^"]*)"', entry)
    more = re.findall(r"^ +command: \[(.*)\]$", (DEPLOY / "compose.yaml").read_text(), re.MULTILINE)
    assert program == "ttsr" and len(more) == 2
    for line in ["", *more]:
        assert main([*words, *re.findall(r'"([^"]*)"', line), "--token", "0123456789abcdef"]) == 0
    assert [(settings.host, port) for settings, port, _ in served] == [("0.0.0.0", 8000)] * 3
    assert [settings.instance for settings, *_ in served] == ["", "a", "b"]
    for path in re.findall(r"^COPY (.*) \S+$", docker, re.MULTILINE):
        assert all((DEPLOY.parent / name).exists() for name in path.split())
