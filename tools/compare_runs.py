"""Compare what two training runs have left: weights, optimizers, logs and names of files, to the last bit."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open


def differences(killed: Path, whole: Path) -> list[str]:
    """In what the results of two runs differ."""
    found = []
    files = [sorted(_names(folder)) for folder in (killed, whole)]
    if files[0] != files[1]:
        found.append(f"files: {sorted(set(files[0]) ^ set(files[1]))}")
    for name in files[1]:
        ours, theirs = killed / name, whole / name
        if not ours.exists():
            continue
        if name.endswith("log.jsonl"):
            same = _lines(ours) == _lines(theirs)
        elif name.endswith(".pt"):
            states = [torch.load(path, map_location="cpu", weights_only=True) for path in (ours, theirs)]
            found += [f"{name}: {place}" for place in _unequal(states[0], states[1], "")]
            continue
        elif name.endswith(".safetensors"):  # the order of its metadata is not fixed
            same = not list(_unequal(_weights(ours), _weights(theirs), ""))
        else:
            same = ours.read_bytes() == theirs.read_bytes()
        if not same:
            found.append(name)
    return found


def _names(folder: Path) -> Iterator[str]:
    """Of all files whose content is decided by the recipe and the data."""
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "environment.json" and "tensorboard" not in path.parts:
            yield path.relative_to(folder).as_posix()


def _lines(log: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in ("seconds", "step_s")} for line in lines]


def _weights(file: Path) -> dict[str, Any]:
    """Tensors and metadata."""
    with safe_open(file, "pt") as opened:
        return {name: opened.get_tensor(name) for name in opened.keys()} | {"metadata": opened.metadata()}  # noqa: SIM118


def _unequal(ours: Any, theirs: Any, place: str) -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict) and ours.keys() == theirs.keys():
        for name in ours:
            if name not in ("seconds", "step_s"):
                yield from _unequal(ours[name], theirs[name], f"{place}/{name}")
    elif isinstance(ours, torch.Tensor) and isinstance(theirs, torch.Tensor):
        if not torch.equal(ours, theirs):
            yield place
    elif ours != theirs:
        yield place


def tensors(state: Any) -> Iterator[torch.Tensor]:
    """All tensors in nested dictionaries."""
    if isinstance(state, torch.Tensor):
        yield state
    elif isinstance(state, dict):
        for value in state.values():
            yield from tensors(value)
