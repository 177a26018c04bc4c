"""A server that is guarded by a token, and is stopped while a client waits."""

import json
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

TOKEN = "a-token-of-the-test"


def test_ctrl_c_ends_jobs_and_leaves_nothing(
    serving: Callable[..., AbstractContextManager[Any]], tiny_weights: Path, long_form: Any, tmp_path: Path
) -> None:
    arguments = ["--host", "0.0.0.0", "--model", str(tiny_weights)]
    with serving(tmp_path / "server", *arguments, TTSR_TOKEN=TOKEN) as server:
        server.address = server.address.replace("0.0.0.0", "127.0.0.1")
        with server.client() as stranger, server.client(Authorization=f"Bearer {TOKEN}") as client:
            assert stranger.post("/v1/jobs", files=long_form).status_code == 401
            assert stranger.get("/v1/models").status_code == 401 and stranger.get("/healthz").status_code == 200
            described = client.get("/openapi.json").json()
            assert described["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
            job = client.post("/v1/jobs", files=long_form).json()["id"]
            # The id is enough to follow a job, as a page's events and pictures have no headers.
            with stranger.stream("GET", f"/v1/jobs/{job}/events") as stream:
                lines = stream.iter_lines()
                events = [json.loads(next(line for line in lines if line.startswith("data: "))[6:])]
                server.process.send_signal(signal.SIGINT)
                events += [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
        assert server.process.wait(30) == 130
        assert (events[-1]["state"], events[-1]["error"]) == ("cancelled", "the service was stopped")
        assert [path.name for path in server.folder.iterdir()] == ["log"]
        assert (server.folder / "log").read_text().splitlines() == ["ttsr: stopped"]
