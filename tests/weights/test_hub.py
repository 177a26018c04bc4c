"""The Hugging Face Hub: huggingface_hub's real client, against a small hub on this machine."""

import json
import logging
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import yaml
from huggingface_hub import constants

import ttsr
from ttsr.cli import main
from ttsr.errors import WeightsError
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.progress import Cancelled, Progress
from ttsr.weights.hub import HubFile, fetch_from_hub, parse_hub_name
from ttsr.weights.loading import load, locate
from ttsr.weights.provenance import Provenance
from ttsr.weights.saving import read_metadata, save

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PROVENANCE = Provenance(
    "a test", "steps: 3\nmodel: small", {"CUFED5, reference 1": {"psnr": 25.5, "ssim": 0.75}}, "MIT"
)


@dataclass
class Hub:
    """Files by `owner/repo/path`, of one commit; `errors` are answers by repository: status and `X-Error-Code`."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    errors: dict[str, tuple[int, str]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)


def handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            hub.seen.append(f"{self.command} {self.path}")
            repo, _, rest = self.path.lstrip("/").partition("/resolve/")
            revision, _, path = rest.partition("/")
            if repo in hub.errors:
                return self.refuse(*hub.errors[repo])
            if not any(name.startswith(f"{repo}/") for name in hub.files):
                return self.refuse(404, "RepoNotFound")
            if revision not in ("main", "v1", COMMIT):
                return self.refuse(404, "RevisionNotFound")
            content = hub.files.get(f"{repo}/{path}")
            if content is None:
                return self.refuse(404, "EntryNotFound")
            self.send_response(200)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{sha256(content).hexdigest()}"')
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_GET = do_HEAD

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.lstrip("/").partition("?")[0]
            hub.seen.append(f"POST {path}")
            if path in hub.errors:
                return self.refuse(*hub.errors[path])
            lines = [json.loads(line) for line in sent.splitlines() if line]
            # api/repos/create, api/models/OWNER/REPO/ACTION/REVISION
            action, repo = path.split("/")[-2], "/".join(path.split("/")[2:4])
            if action == "repos":
                answer: dict[str, Any] = {"url": f"{hub.address}/{lines[0]['organization']}/{lines[0]['name']}"}
            elif action == "preupload":
                files = [{"path": file["path"], "uploadMode": "regular"} for file in lines[0]["files"]]
                answer = {"files": [file | {"shouldIgnore": False} for file in files]}
            elif action == "commit":
                for line in lines:
                    if line["key"] == "file":
                        hub.files[f"{repo}/{line['value']['path']}"] = b64decode(line["value"]["content"])
                answer = {"commitUrl": f"{hub.address}/{repo}/commit/{COMMIT}", "commitOid": COMMIT}
            else:
                answer = {}
            content = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def refuse(self, status: int, code: str) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@pytest.fixture
def hub(small: TTSR, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with `me/small`, and an empty cache."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    state = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(state))
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", state.address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", state.address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    save(small, tmp_path / "made.safetensors", provenance=PROVENANCE)
    state.files["me/small/model.safetensors"] = (tmp_path / "made.safetensors").read_bytes()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def test_names() -> None:
    assert parse_hub_name("hf://me/small") == HubFile("me/small", "model.safetensors", None)
    assert parse_hub_name("hf://me/a.b/sub/x.pth@refs/pr/1") == HubFile("me/a.b", "sub/x.pth", "refs/pr/1")
    assert str(parse_hub_name("me/small@v1")) == "hf://me/small@v1"


@pytest.mark.parametrize("name", ["hf://", "hf://small", "hf://me/", "hf://me/small/", "hf://me/small@", "hf://me/s p"])
def test_a_name_of_another_form(name: str) -> None:
    with pytest.raises(WeightsError, match=r"the form is hf://OWNER/REPO\[/FILE\]\[@REVISION\]$"):
        locate(name)


def test_a_file_that_holds_no_weights_is_not_downloaded(hub: Hub) -> None:
    with pytest.raises(WeightsError, match=r"code.py is no file of weights: they end in .safetensors, .pt, .pth"):
        load("hf://me/small/code.py")
    with pytest.raises(WeightsError, match="the revision stands before the file"):
        load("hf://me/small@v1/model.safetensors")
    assert hub.seen == []


def test_wherever_a_model_is_named(hub: Hub, small: TTSR, assert_same_weights: Callable[..., None]) -> None:
    assert_same_weights(load("hf://me/small"), small)
    assert_same_weights(ttsr.Upscaler("hf://me/small", device="cpu").model, small)
    assert_same_weights(TTSR.from_pretrained("me/small"), small)
    assert_same_weights(ttsr.TTSR.from_pretrained("hf://me/small@v1"), small)
    assert_same_weights(TTSR.from_pretrained("me/small", revision="v1", local_files_only=True), small)
    assert sum(line.startswith("GET /me/") for line in hub.seen) == 1  # the cache has the rest


def test_other_layouts(checkpoint: Path, hub: Hub, small: TTSR, assert_same_weights: Callable[..., None]) -> None:
    hub.files[f"me/other/old/{checkpoint.name}"] = checkpoint.read_bytes()
    assert_same_weights(load(f"hf://me/other/old/{checkpoint.name}"), small)


def test_on_the_command_line(hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "hf://me/small", str(tmp_path / "out.safetensors")]) == 0
    assert read_metadata(tmp_path / "out.safetensors").provenance == PROVENANCE
    capsys.readouterr()
    picture = str(tmp_path / "lr.png")
    ttsr.write_picture(ttsr.Picture(np.zeros((5, 6, 3), "uint8")), picture)
    assert main(["upscale", picture, "--model", "hf://me/small", "--device", "cpu"]) == 0
    assert (tmp_path / "lr_x4.png").exists()
    capsys.readouterr()
    assert main(["upscale", picture, "--model", "hf://me/nothing", "--device", "cpu"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "hf://me/nothing: the hub knows no" in err


@pytest.mark.parametrize(
    ("name", "answer", "message"),
    [
        ("hf://me/nothing", None, "the hub knows no repository me/nothing, or does not show it to you: check the name"),
        ("hf://me/small@v9", None, "me/small has no revision v9: see https://huggingface.co/me/small"),
        ("hf://me/small/b.pt", None, "me/small has no b.pt: name a file that"),
        ("hf://me/secret", (401, "RepoNotFound"), "for a private one log in with hf auth login"),
        ("hf://me/gated", (403, "GatedRepo"), "only for those who were given access: ask for access at .*/me/gated"),
        ("hf://me/closed", (403, ""), "the hub answers 403: log in with hf auth login"),
        ("hf://a/..b", None, "the form is hf://OWNER/REPO"),
    ],
)
def test_what_cannot_be_had_is_one_line(name: str, answer: tuple[int, str] | None, message: str, hub: Hub) -> None:
    if answer is not None:
        hub.errors[name.removeprefix("hf://")] = answer
    with pytest.raises(WeightsError, match=message) as caught:
        load(name)
    assert str(caught.value).startswith(name) and "\n" not in str(caught.value)


def test_offline_the_cache_serves(
    hub: Hub, small: TTSR, monkeypatch: pytest.MonkeyPatch, assert_same_weights: Callable[..., None]
) -> None:
    load("hf://me/small")
    logged: list[logging.LogRecord] = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", logged.append)
    logger = logging.getLogger("huggingface_hub")
    monkeypatch.setattr(logger, "handlers", [*logger.handlers, handler])
    unreachable = "http://127.0.0.1:1"
    monkeypatch.setattr(constants, "ENDPOINT", unreachable)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", unreachable + "/{repo_id}/resolve/{revision}/{filename}"
    )
    assert_same_weights(load("hf://me/small"), small)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)  # between its attempts
    for local_files_only in (False, True):
        with pytest.raises(
            WeightsError, match="the hub cannot be reached, and its cache does not have the file: go onl"
        ):
            TTSR.from_pretrained("me/other", local_files_only=local_files_only)
    assert logged == []
    logger.warning("of others")
    assert len(logged) == 1


def test_progress_and_cancel(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[float, str]] = []
    cancelled = Progress()
    cancelled.cancel()
    with pytest.raises(Cancelled):
        fetch_from_hub(parse_hub_name("hf://me/small"), cancelled)
    fetch_from_hub(parse_hub_name("hf://me/small"), Progress(lambda *now: told.append(now)))
    assert told[-1] == (1, "model.safetensors")
    assert capsys.readouterr() == ("", "")


def test_without_the_extra(small: TTSR, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    needs = r'needs the package huggingface_hub: pip install "ttsr\[hub\]"$'
    with pytest.raises(WeightsError, match=f"^hf://me/small: {needs}"):
        load("hf://me/small")
    with pytest.raises(WeightsError, match=needs):
        small.push_to_hub("me/small")
    with pytest.raises(WeightsError, match=needs):
        small.save_pretrained(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    save(small, tmp_path / "model.safetensors")
    assert TTSR.from_pretrained(tmp_path).config == small.config
    assert TTSR.from_pretrained("ttsr-lite").config.trunk_channels


def test_names_of_files_are_not_looked_up_on_the_hub(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="there is no such file"):
        TTSR.from_pretrained(tmp_path / "none.safetensors")
    with pytest.raises(WeightsError, match="there is no such file"):
        TTSR.from_pretrained("runs/none.pt")
    with pytest.raises(WeightsError, match="ttsr-lite: is not on the hub and has no revision v1"):
        TTSR.from_pretrained("ttsr-lite", revision="v1")
    with pytest.raises(WeightsError, match="names another revision than v2"):
        TTSR.from_pretrained("me/small@v1", revision="v2")
    assert hub.seen == []


def header(text: str) -> dict[str, Any]:
    return yaml.safe_load(text.split("---\n")[1])


def test_saving_and_the_model_card(small: TTSR, tmp_path: Path, assert_same_weights: Callable[..., None]) -> None:
    folder = tmp_path / "small"
    small.save_pretrained(folder, provenance=PROVENANCE)
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "model.safetensors"]
    assert_same_weights(TTSR.from_pretrained(folder), small)
    assert read_metadata(folder / "model.safetensors").provenance == PROVENANCE
    text = (folder / "README.md").read_text()
    told = header(text)
    assert told["license"] == "mit" and told["library_name"] == "ttsr" and "super-resolution" in told["tags"]
    assert told["metrics"] == ["psnr", "ssim"]
    results = huggingface_hub.ModelCard(text).data.to_dict()["model-index"][0]["results"]
    values = {(r["dataset"]["name"], m["type"]): m["value"] for r in results for m in r["metrics"]}
    assert values == {("CUFED5, reference 1", "psnr"): 25.5, ("CUFED5, reference 1", "ssim"): 0.75}
    assert "| CUFED5, reference 1 | 25.5000 | 0.7500 |" in text and "    model: small" in text
    (folder / "README.md").write_text("mine")
    small.save_pretrained(folder)
    assert (folder / "README.md").read_text() == "mine"


def test_a_card_of_which_little_is_known(tmp_path: Path) -> None:
    model = TTSR(TTSRConfig(4, (1, 1, 1, 1), (4, 4, 4), bicubic_skip=True))
    model.save_pretrained(tmp_path / "new", provenance=Provenance(licence="My own"))
    text = (tmp_path / "new" / "README.md").read_text()
    assert header(text)["license"] == "other" and header(text)["license_name"] == "My own"
    assert "model-index" not in header(text) and "None are stated" in text
    assert "additions to the published network: `bicubic_skip`" in text and "Source: not stated" in text


def test_a_folder_that_cannot_be_written(small: TTSR, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WeightsError, match="cannot be written"):
        small.save_pretrained(tmp_path / "file")


def test_publishing(small: TTSR, hub: Hub) -> None:
    """What is uploaded can be loaded from the hub."""
    url = small.push_to_hub("you/mine", provenance=PROVENANCE, private=True, revision="v1", token="hf_secret")
    assert url == f"{hub.address}/you/mine/commit/{COMMIT}"
    posted = [line.removeprefix("POST api/") for line in hub.seen if line.startswith("POST")]
    assert posted[:2] == ["repos/create", "models/you/mine/branch/v1"] and posted[-1] == "models/you/mine/commit/v1"
    assert read_metadata(locate("hf://you/mine@v1")).provenance == PROVENANCE
    card = hub.files["you/mine/README.md"].decode()
    assert header(card)["model-index"][0]["name"] == "mine" and "--model hf://you/mine\n" in card
    with pytest.raises(WeightsError, match="names more than a repository"):
        small.push_to_hub("you/mine@v1")


def test_publishing_without_permission_is_one_line(small: TTSR, hub: Hub) -> None:
    hub.errors["api/repos/create"] = (401, "")
    with pytest.raises(WeightsError, match=r"^you/mine: .*log in with hf auth login") as caught:
        small.push_to_hub("you/mine", token="hf_wrong")
    assert "\n" not in str(caught.value)
