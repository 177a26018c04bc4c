"""Files of `torch.save`, read without running what is in them: ZIPs, and the form of before PyTorch 1.6."""

import io
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, BinaryIO

import torch
from torch import Tensor

from ttsr.errors import WeightsError
from ttsr.weights.pickle_reader import Storage, StorageId, UnreadableError, read_pickle

# Limit of a ZIP's unpacked size, as a multiple of its size: weights hardly compress, and seldom share memory.
MAX_GROWTH = 4

_DAMAGED = "not a checkpoint, or damaged or truncated"
_MISMATCH = "its tensors declare other sizes than the file contains"
_MOST_PICKLE = 2**26  # bytes; that of a large network takes a hundredth of it
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_OLD_START, _OLD_PROTOCOL = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", 1001  # of the form before PyTorch 1.6


def read_pytorch_file(path: Path) -> Any:
    """What `torch.save` was given, with tensors on the CPU, and for anything but data `pickle_reader.Named`.

    Raises:
        WeightsError: damaged, or it holds more than data, or would unpack to far more than its size.
        OSError: the file cannot be opened.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        is_zip = file.read(4) == b"PK\3\4"
        file.seek(0)
        try:
            return _read_zip(file, size) if is_zip else _read_old(file, size)
        except UnreadableError as error:
            reason = str(error)
        except Exception:  # damaged bytes make zipfile and zlib raise any error
            reason = _DAMAGED
    raise WeightsError(f"{path}: {reason}")


def _read_zip(file: BinaryIO, size: int) -> Any:
    with zipfile.ZipFile(file) as archive:
        members = {member.filename: member for member in archive.infolist()}
        pickled = _checked(archive.infolist(), size)
        top = pickled.filename.removesuffix("data.pkl")
        if f"{top}byteorder" in members and archive.read(f"{top}byteorder") != sys.byteorder.encode():
            raise UnreadableError("written on a machine of another byte order")
        storages: dict[str, Storage] = {}

        def storage_of(wanted: StorageId) -> Storage:
            if wanted.key not in storages:
                member = members.get(f"{top}data/{wanted.key}")
                if member is None or member.file_size != wanted.length * wanted.dtype.itemsize:
                    raise UnreadableError(_MISMATCH)
                with archive.open(member) as content:
                    buffer = bytearray(member.file_size)
                    _fill(content, buffer)
                storages[wanted.key] = Storage(_bytes(buffer), wanted.dtype)
            return storages[wanted.key]

        return read_pickle(io.BytesIO(archive.read(pickled)), storage_of)


def _checked(members: list[zipfile.ZipInfo], size: int) -> zipfile.ZipInfo:
    """The pickle among the members of a ZIP of `size` bytes, after what can be told without unpacking is checked."""
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        raise UnreadableError("not a checkpoint: has two members of one name")
    pickles = [member for member in members if member.filename.rpartition("/")[2] == "data.pkl"]
    if len(pickles) != 1 or not _is_one_folder(pickles[0].filename.removesuffix("data.pkl")):
        raise UnreadableError("not a checkpoint: a ZIP without data.pkl, or with several")
    if pickles[0].filename.replace("data.pkl", "constants.pkl") in names:
        raise UnreadableError("a TorchScript program, not weights: save its state dict")
    if any(member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS for member in members):
        raise UnreadableError("not a checkpoint: encrypted, or compressed by another method than deflate")
    if sum(member.file_size for member in members) > MAX_GROWTH * size or pickles[0].file_size > _MOST_PICKLE:
        raise UnreadableError("unpacks to far more than its size; refused for safety")
    return pickles[0]


def _is_one_folder(name: str) -> bool:
    return name.count("/") == 1 and name not in ("/", "./", "../")


def _read_old(file: BinaryIO, size: int) -> Any:
    head = io.BytesIO(file.read(_MOST_PICKLE))
    if head.getbuffer()[257:262] == b"ustar":
        raise UnreadableError("a tar file of PyTorch before 0.1.10: load it there, and save it anew")
    if head.getbuffer()[: len(_OLD_START)] != _OLD_START:
        raise UnreadableError(_DAMAGED)
    read_pickle(head, _no_storage)
    if read_pickle(head, _no_storage) != _OLD_PROTOCOL:
        raise UnreadableError(_DAMAGED)
    if read_pickle(head, _no_storage).get("little_endian") is not (sys.byteorder == "little"):
        raise UnreadableError("written on a machine of another byte order")
    buffers: dict[str, bytearray] = {}
    storages: dict[str, Storage] = {}

    def storage_of(wanted: StorageId) -> Storage:
        length = wanted.length * wanted.dtype.itemsize
        if wanted.key not in buffers:
            if length + sum(map(len, buffers.values())) > size:
                raise UnreadableError(_MISMATCH)
            buffers[wanted.key] = bytearray(length)
            storages[wanted.key] = Storage(_bytes(buffers[wanted.key]), wanted.dtype)
        whole = storages[wanted.key]
        first, end = (number * wanted.dtype.itemsize for number in wanted.view)
        return Storage(whole.content[first:end], whole.dtype)

    content = read_pickle(head, storage_of)
    keys = read_pickle(head, _no_storage)
    if sorted(keys) != sorted(buffers):
        raise UnreadableError(_DAMAGED)
    file.seek(head.tell())
    for key in keys:
        (length,) = struct.unpack("<q", file.read(8))
        if length * storages[key].dtype.itemsize != len(buffers[key]):
            raise UnreadableError(_MISMATCH)
        _fill(file, buffers[key])
    return content


def _no_storage(wanted: StorageId) -> Storage:
    raise UnreadableError(_DAMAGED)


def _fill(source: IO[bytes], buffer: bytearray) -> None:
    """Read all of `buffer`. A ZIP's member is then checked by its CRC."""
    left = memoryview(buffer)
    read_into: Callable[[memoryview], int] = source.readinto  # pyright: ignore[reportAttributeAccessIssue]
    while left:
        if not (count := read_into(left)):
            raise UnreadableError(_DAMAGED)
        left = left[count:]


def _bytes(buffer: bytearray) -> Tensor:
    return torch.frombuffer(buffer, dtype=torch.uint8) if buffer else torch.empty(0, dtype=torch.uint8)
