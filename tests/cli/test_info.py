"""`ttsr info`: what it tells, also where something is missing or broken."""

import importlib
import json
import re
import tomllib
import urllib.request
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import features

from ttsr import __version__
from ttsr.cli import main
from ttsr.cli.info_facts import EXTRAS, PACKAGES
from ttsr.weights.cache import cache_path
from ttsr.weights.catalog import PublishedWeights, available_weights

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_download(*_: object, **__: object) -> None:
        raise AssertionError("info downloads nothing")

    monkeypatch.setattr(urllib.request, "urlopen", no_download)
    monkeypatch.setenv("TTSR_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def facts(capsys: pytest.CaptureFixture[str]) -> Any:
    """Calls the command, and returns what it printed for programs."""

    def call() -> dict[str, Any]:
        capsys.readouterr()
        assert main(["info", "--json"]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return json.loads(out)

    return call


def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int = 200) -> str:
    monkeypatch.setenv("COLUMNS", str(columns))
    capsys.readouterr()
    assert main(["info"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_facts_for_programs(facts: Any, tmp_path: Path) -> None:
    told = facts()
    assert told["ttsr"] == __version__ and told["problems"] == {}
    assert told["packages"]["torch"] == {"version": version("torch"), "problem": None, "install": None}
    cpu = told["devices"][0]
    assert cpu["device"] == "cpu" and cpu["threads"] == torch.get_num_threads()
    assert 0 < cpu["available_bytes"] <= cpu["memory_bytes"]
    assert told["auto_device"] in {device["device"] for device in told["devices"]}
    models = {model["name"]: model for model in told["models"]}
    assert {*available_weights()} < {*models}
    lite, published = models["ttsr-lite"], models["mmagic/ttsr-rec"]
    assert lite["where"] == "package" and Path(lite["file"]).stat().st_size == lite["bytes"]
    assert lite["auto"]["search"] == "coherent" and lite["auto"]["precision"] in ("fp32", "bf16")
    assert published["where"] is None and published["bytes"] is None
    assert published["auto"] == {"precision": "fp32", "search": "exact", "pose": False, "match_colour": False}
    cache = {"folder": str(tmp_path / "cache"), "exists": False, "writable": True, "files": 0, "bytes": 0}
    assert told["cache"] == cache
    assert not (tmp_path / "cache").exists()


def test_a_cached_model_has_its_path_and_size(facts: Any, tmp_path: Path) -> None:
    entry = available_weights()["mmagic/ttsr-gan"]
    assert isinstance(entry, PublishedWeights)
    file = cache_path(entry.url)
    file.parent.mkdir()
    file.write_bytes(bytes(1000))
    told = facts()
    model = next(model for model in told["models"] if model["name"] == "mmagic/ttsr-gan")
    assert (model["where"], model["file"], model["bytes"]) == ("cache", str(file), 1000)
    assert (told["cache"]["files"], told["cache"]["bytes"]) == (1, 1000)


def test_lines_for_people(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    out = printed(capsys, monkeypatch)
    assert re.search(rf"^versions +ttsr +{re.escape(__version__)}\s*$", out, flags=re.MULTILINE)
    assert re.search(r"ttsr-lite +in the package, \d+\.\d MB; auto is (fp32|bf16), coherent search", out)
    assert re.search(r"mmagic/ttsr-rec +not downloaded yet; auto is fp32, exact search", out)
    assert max(map(len, printed(capsys, monkeypatch, 80).splitlines())) <= 80


def test_a_missing_extra_is_named_with_its_command(
    facts: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.import_module

    def missing(name: str, *rest: Any) -> Any:
        if name == "wandb":
            raise ModuleNotFoundError("No module named 'wandb'", name="wandb")
        if name == "accelerate":
            raise OSError("libsomething.so: cannot open")
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", missing)
    extras = {extra["name"]: extra for extra in facts()["extras"]}
    assert not extras["wandb"]["ready"] and extras["wandb"]["install"] == 'pip install "ttsr[wandb]"'
    assert extras["wandb"]["packages"]["wandb"]["problem"] == "not installed"
    problem = extras["train"]["packages"]["accelerate"]["problem"]
    assert problem == "cannot be imported, OSError: libsomething.so: cannot open"
    out = printed(capsys, monkeypatch)
    assert 'wandb not installed: pip install "ttsr[wandb]"' in out
    assert "accelerate cannot be imported, OSError: libsomething.so: cannot open" in out


def test_a_cache_that_cannot_be_written_to(
    facts: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TTSR_CACHE", str(tmp_path / "file" / "cache"))
    assert facts()["cache"]["writable"] is False
    assert "cannot be written to: set TTSR_CACHE" in printed(capsys, monkeypatch)


def test_a_format_that_pillow_lacks(
    facts: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    without = [name for name in features.get_supported() if name != "avif"]
    monkeypatch.setattr(features, "get_supported", lambda: without)
    formats = facts()["formats"]
    assert formats["AVIF"] is False and formats["PNG"] is True
    assert re.search(r"not read +AVIF: pip install --upgrade pillow", printed(capsys, monkeypatch))


def test_a_broken_gpu_does_not_hide_the_rest(
    facts: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(_: object) -> tuple[int, int]:
        raise RuntimeError("CUDA error: device is busy")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Some [GPU]")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=8 * 10**9))
    monkeypatch.setattr(torch.cuda, "mem_get_info", busy)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    told = facts()
    gpu = told["devices"][1]
    assert (gpu["device"], gpu["available_bytes"]) == ("cuda:0", None)
    assert gpu["problem"] == "RuntimeError: CUDA error: device is busy"
    assert told["auto_device"] == "cuda:0" and told["packages"] and told["cache"]
    assert "Some [GPU], ? of ? GB free (RuntimeError: CUDA error: device is busy), chosen by auto" in printed(
        capsys, monkeypatch
    )


def test_what_fails_is_named_and_the_rest_is_told(
    facts: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> bool:
        raise ImportError("a broken\ndriver")

    monkeypatch.setattr(torch.backends.mps, "is_available", broken)
    monkeypatch.setattr(torch.cuda, "is_available", broken)
    told = facts()
    assert told["problems"]["devices"] == "ImportError: a broken driver"
    assert told["devices"] == [] and told["extras"] and told["formats"]
    assert re.search(r"^problems +devices +ImportError: a broken driver", printed(capsys, monkeypatch), re.MULTILINE)


def test_packages_and_extras_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    def names(requirements: list[str]) -> list[str]:
        return [re.split(r"[<>=\[]", requirement)[0] for requirement in requirements]

    assert {*PACKAGES} <= {*names(project["dependencies"])}
    for extra, (_, packages) in EXTRAS.items():
        assert names(project["optional-dependencies"][extra]) == [*packages]
