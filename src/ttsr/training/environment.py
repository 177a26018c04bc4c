"""The environment of a run: versions, revision and hardware, stored beside its checkpoints."""

import json
import platform
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import ttsr
from ttsr.system.distributed import Runtime
from ttsr.system.files import atomic_path

_PACKAGES = ("torch", "accelerate", "numpy", "pillow", "scikit-image", "safetensors")


def record_environment(run: Path, seed: int, runtime: Runtime, step: int) -> None:
    """Add to `environment.json` what the run uses from this step on: versions, seed, device and processes.

    Raises:
        OSError: it cannot be written.
    """
    path = run / "environment.json"
    parts: list[dict[str, Any]] = []
    if path.is_file() and step:
        with suppress(ValueError, TypeError, KeyError):  # damaged: its content is lost, which is no reason to stop
            parts = [part for part in json.loads(path.read_text()) if part["from_step"] < step]
    versions = {"ttsr": ttsr.__version__, "python": platform.python_version()}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    device = runtime.device
    parts.append(
        {
            "from_step": step,
            "seed": seed,
            "git_revision": _git_revision(),
            "versions": versions,
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
            "processes": runtime.count,
            "threads": torch.get_num_threads(),
        }
    )
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(parts, indent=1) + "\n")


def _git_revision() -> str | None:
    """Of the sources that run, `-dirty` if they differ from it; None where they are in no checkout."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)
        return git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
