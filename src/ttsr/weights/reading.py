"""A checkpoint file to tensors by name, without ever running what is in it."""

import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ttsr.errors import WeightsError

# What MMEngine puts beside the weights: its log's history, as NumPy arrays. None of it is wanted, and none of
# these packages need be there: each name stands for an object that does nothing.
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

# What a PyTorch file may unpack to, as a multiple of its size: weights hardly compress, and seldom share memory.
_LARGEST_GROWTH = 4


class _Inert:
    """Takes whatever a pickle hands it, and keeps nothing."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by name, dense and on the CPU, and safetensors' metadata (text to text; empty for a pickle)."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]


def read_checkpoint(path: Path) -> Checkpoint:
    """Read safetensors, or a PyTorch file by `torch.load(weights_only=True)`, going by the content.

    Of a file with a `state_dict` in it, as MMEditing and MMagic write them, that part is taken.

    Raises:
        WeightsError: missing, empty, cut off, of another kind, with more in it than tensors, or with more in them
            than its size allows for.
    """
    if not os.path.exists(path):  # unlike Path's, not raising on a name that is too long
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
    # A safetensors file is a length of eight bytes and a JSON object.
    return _read_safetensors(path) if start[8:] == b"{" else _read_pickle(path)


def read_strings(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file, without its tensors.

    Raises:
        WeightsError: it cannot be read or is no safetensors file.
    """
    try:
        with safe_open(path, "pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: no safetensors file, or a damaged one ({_first_line(error)})") from None


def _read_safetensors(path: Path) -> Checkpoint:
    try:
        with safe_open(path, "pt") as file:
            names = file.keys()
            return Checkpoint({name: file.get_tensor(name) for name in names}, dict(file.metadata() or {}))
    except (SafetensorError, OSError, KeyError, RuntimeError) as error:
        raise WeightsError(f"{path}: the safetensors file is damaged or cut off ({_first_line(error)})") from None


def _read_pickle(path: Path) -> Checkpoint:
    stand_ins: list[Any] = [(_Inert, name) for name in _BESIDE_THE_WEIGHTS]
    most = _LARGEST_GROWTH * path.stat().st_size
    try:
        # An open file, since by its name torch.load would take one for safetensors.
        with torch.serialization.safe_globals(stand_ins), path.open("rb") as file:
            if _unpacked_bytes(file) > most:
                raise WeightsError(f"{path}: unpacks to far more than its size, which is not loaded for safety")
            content = torch.load(file, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except Exception as error:  # damaged bytes meet the unpickler with any error
        if re.search(r"unsupported (global|class)", str(error), re.IGNORECASE):
            raise WeightsError(f"{path}: holds more than weights, which is not loaded for safety") from None
        raise WeightsError(f"{path}: no checkpoint, or a damaged or cut-off one") from None
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{path}: no state dict in it, so no weights")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise WeightsError(f"{path}: no plain weights ({str(key)[:60]!r} in it is not a tensor)")
        if value.layout != torch.strided or value.is_nested or value.device.type != "cpu":
            raise WeightsError(f"{path}: no plain weights ({key[:60]!r} in it is not a plain tensor)")
    if sum(value.numel() * value.element_size() for value in content.values()) > most:
        raise WeightsError(f"{path}: its tensors state far more values than the file holds")
    return Checkpoint(dict(content), {})


def _unpacked_bytes(file: BinaryIO) -> int:
    """What the members of a zip file state as their sizes; 0 for another file. The position is kept."""
    try:
        with zipfile.ZipFile(file) as archive:
            return sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile:
        return 0
    finally:
        file.seek(0)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
