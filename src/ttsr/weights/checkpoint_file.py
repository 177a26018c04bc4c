"""Reading checkpoint files to tensors by name, without executing code in them."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from ttsr.errors import WeightsError
from ttsr.system.plain_yaml import YamlError, plain_yaml
from ttsr.weights.layouts import DISCRIMINATOR
from ttsr.weights.pickle_reader import Named
from ttsr.weights.provenance import FORMAT
from ttsr.weights.pytorch_file import MAX_GROWTH, read_pytorch_file

# What a checkpoint of a training run is known by, and what of it is no weights of the result.
_OF_A_RUN = {"recipe", "step", "average"}
_STATE_OF_A_RUN = {
    "model": "the weights before averaging",
    "update": "the state of the optimizer",
    "adversary": "the state of the discriminator's optimizer",
}

# What wrappers such as DataParallel add to names, at the front or after a part's name.
_WRAPPER = re.compile(r"(^|\.)module\.")

_MOST_HEADER = 2**24  # bytes, of safetensors; that of a large network takes a hundredth of it


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint file.

    Attributes:
        tensors: dense and on the CPU, by their names without the `module.` of DataParallel and its kin.
        metadata: of safetensors.
        left_out: what the file holds beside these, such as the state of optimizers.
    """

    tensors: dict[str, Tensor]
    metadata: dict[str, str]
    left_out: tuple[str, ...] = ()

    @property
    def discriminator(self) -> dict[str, Tensor]:
        """The discriminator's parameters, by their names in it; none in most files."""
        named = ((name, tensor) for name, tensor in self.tensors.items() if name.startswith(DISCRIMINATOR))
        return {name.removeprefix(DISCRIMINATOR): tensor for name, tensor in named}


def read_checkpoint(path: Path) -> Checkpoint:
    """Read safetensors, or a file of `torch.save` without running what is in it; the content tells which.

    If the file contains a `state_dict`, as those of MMEditing and MMagic do, only that is read; of a checkpoint of a
    training run, only the averaged weights and the discriminator.

    Raises:
        WeightsError: the file is missing, empty, truncated or no checkpoint, contains more than tensors, or declares
            larger tensors than its size allows.
    """
    if not os.path.exists(path):  # Path.exists raises if the name is too long
        raise WeightsError(f"{path}: there is no such file")
    if not path.is_file():
        raise WeightsError(f"{path}: is not a file")
    start = _start(path)
    if not start:
        raise WeightsError(f"{path}: the file is empty")
    if start[8:] != b"{":
        return _read_pytorch(path)
    with _safetensors(path) as file:
        names = file.keys()
        return Checkpoint({name: file.get_tensor(name) for name in names}, dict(file.metadata() or {}))


def read_strings(path: Path) -> dict[str, str]:
    """Read the metadata of a safetensors file, not its tensors.

    Raises:
        WeightsError: the file is unreadable or not safetensors.
    """
    with _safetensors(path) as file:
        return dict(file.metadata() or {})


def _start(path: Path) -> bytes:
    """The first bytes: those of safetensors are the length of the header, which is a JSON object."""
    try:
        with path.open("rb") as file:
            return file.read(9)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from None


@contextmanager
def _safetensors(path: Path) -> Iterator[Any]:
    if int.from_bytes(_start(path)[:8], "little") > _MOST_HEADER:
        raise WeightsError(f"{path}: not a safetensors file, or damaged or truncated (its header would be huge)")
    try:
        with safe_open(path, "pt") as file:
            yield file
    except (SafetensorError, OSError, KeyError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise WeightsError(f"{path}: not a safetensors file, or damaged or truncated ({reason})") from None


def _read_pytorch(path: Path) -> Checkpoint:
    try:
        content = read_pytorch_file(path)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from None
    metadata: dict[str, str] = {}
    left_out: tuple[str, ...] = ()
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        left_out = tuple(str(key)[:60] for key in content if key != "state_dict")
        content = content["state_dict"]
    elif isinstance(content, Mapping) and content.keys() >= _OF_A_RUN:
        left_out = tuple(text for key, text in _STATE_OF_A_RUN.items() if key in content)
        content, metadata = _of_a_run(content, path)
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{path}: contains no state dict")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            kind = "plain tensor" if isinstance(value, Named) else "tensor"
            raise WeightsError(f"{path}: not a plain state dict ({str(key)[:60]!r} is not a {kind})")
    if sum(value.numel() * value.element_size() for value in content.values()) > MAX_GROWTH * path.stat().st_size:
        raise WeightsError(f"{path}: its tensors declare far more values than the file contains")
    names = {key: _WRAPPER.sub(r"\1", key) for key in content}
    if len(set(names.values())) < len(names):
        raise WeightsError(f"{path}: has tensors of one name with and without `module.`")
    return Checkpoint({names[key]: value for key, value in content.items()}, metadata, left_out)


def _of_a_run(content: Mapping[str, Any], path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The tensors of a run's checkpoint: the averaged network and the discriminator; and its sizes as metadata."""
    try:
        config = json.dumps(plain_yaml(content["recipe"])["model"])
        tensors = dict(content["average"])
        tensors |= {DISCRIMINATOR + name: tensor for name, tensor in content.get("discriminator", {}).items()}
    except (YamlError, KeyError, TypeError, ValueError, AttributeError):
        raise WeightsError(f"{path}: not a checkpoint of a run, or damaged") from None
    return tensors, {"format": FORMAT, "config": config, "source": "trained by ttsr", "recipe": content["recipe"]}
