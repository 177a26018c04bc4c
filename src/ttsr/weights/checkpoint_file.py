"""Reading checkpoint files to tensors by name, without executing code in them."""

import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
import yaml
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ttsr.errors import WeightsError
from ttsr.weights.layouts import DISCRIMINATOR
from ttsr.weights.provenance import FORMAT

# MMEngine stores its log's history beside the weights, as NumPy arrays. It is not needed, and neither are these
# packages: each name stands for an object that does nothing.
_BESIDE_THE_WEIGHTS = (
    "mmengine.logging.history_buffer.HistoryBuffer",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.ndarray",
    "numpy.dtype",
    "numpy.dtypes.Float64DType",
    "numpy.dtypes.Float32DType",
    "numpy.dtypes.Int64DType",
    "numpy.dtypes.Int32DType",
    "builtins.getattr",
)

# What a checkpoint of a training run is known by, and what of it is no weights of the result.
_OF_A_RUN = {"recipe", "step", "average"}
_STATE_OF_A_RUN = {
    "model": "the weights before averaging",
    "update": "the state of the optimizer",
    "adversary": "the state of the discriminator's optimizer",
}

# What wrappers such as DataParallel add to names, at the front or after a part's name.
_WRAPPER = re.compile(r"(^|\.)module\.")

# Limit of a PyTorch file's unpacked size, as a multiple of its size: weights hardly compress, and seldom share memory.
_MAX_GROWTH = 4


class _Inert:
    """Accepts any arguments and state of a pickle, and keeps nothing."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


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
    """Read safetensors, or a PyTorch file by `torch.load(weights_only=True)`; the content tells which.

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
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from None
    if not start:
        raise WeightsError(f"{path}: the file is empty")
    if start[8:] != b"{":  # a safetensors file starts with a length of eight bytes and a JSON object
        return _read_pickle(path)
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


@contextmanager
def _safetensors(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, "pt") as file:
            yield file
    except (SafetensorError, OSError, KeyError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise WeightsError(f"{path}: not a safetensors file, or damaged or truncated ({reason})") from None


def _read_pickle(path: Path) -> Checkpoint:
    stand_ins: list[Any] = [(_Inert, name) for name in _BESIDE_THE_WEIGHTS]
    most = _MAX_GROWTH * path.stat().st_size
    try:
        # An open file, since torch.load goes by the suffix of a path.
        with torch.serialization.safe_globals(stand_ins), path.open("rb") as file:
            if _unpacked_bytes(file) > most:
                raise WeightsError(f"{path}: unpacks to far more than its size; refused for safety")
            content = torch.load(file, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except Exception as error:  # damaged bytes raise any error in the unpickler
        if re.search(r"unsupported (global|class)", str(error), re.IGNORECASE):
            raise WeightsError(f"{path}: contains more than weights; refused for safety") from None
        raise WeightsError(f"{path}: not a checkpoint, or damaged or truncated") from None
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
            raise WeightsError(f"{path}: not a plain state dict ({str(key)[:60]!r} is not a tensor)")
        if value.layout != torch.strided or value.is_nested or value.device.type != "cpu":
            raise WeightsError(f"{path}: not a plain state dict ({key[:60]!r} is not a plain tensor)")
    if sum(value.numel() * value.element_size() for value in content.values()) > most:
        raise WeightsError(f"{path}: its tensors declare far more values than the file contains")
    names = {key: _WRAPPER.sub(r"\1", key) for key in content}
    if len(set(names.values())) < len(names):
        raise WeightsError(f"{path}: has tensors of one name with and without `module.`")
    return Checkpoint({names[key]: value for key, value in content.items()}, metadata, left_out)


def _of_a_run(content: Mapping[str, Any], path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The tensors of a run's checkpoint: the averaged network and the discriminator; and its sizes as metadata."""
    try:
        config = json.dumps(yaml.safe_load(content["recipe"])["model"])
        tensors = dict(content["average"])
        tensors |= {DISCRIMINATOR + name: tensor for name, tensor in content.get("discriminator", {}).items()}
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError):
        raise WeightsError(f"{path}: not a checkpoint of a run, or damaged") from None
    return tensors, {"format": FORMAT, "config": config, "source": "trained by ttsr", "recipe": content["recipe"]}


def _unpacked_bytes(file: BinaryIO) -> int:
    """The declared size of a zip file's members; 0 for other files. Keeps the position."""
    try:
        with zipfile.ZipFile(file) as archive:
            return sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile:
        return 0
    finally:
        file.seek(0)
