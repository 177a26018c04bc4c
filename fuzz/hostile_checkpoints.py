"""Checkpoint files that mean harm, by what they try: what the tests refuse one by one, and the fuzzer starts from.

The code that they carry would write a file; none of them may.
"""

import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as save_safetensors

from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.layouts import LAYOUTS
from ttsr.weights.provenance import Metadata

_LONGEST_SEED = 2**14
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of PyTorch's files before 1.6
_SYSTEM = {"protocol_version": _PROTOCOL, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._call


def zipped(pickled: bytes, **others: bytes) -> bytes:
    """A PyTorch file with this data.pkl, and other members by name."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", pickled)
        archive.writestr("a/version", b"3\n")
        for name, content in others.items():
            archive.writestr(f"a/{name}", content)
    return file.getvalue()


def legacy(pickled: bytes, storages: bytes = b"", keys: tuple[str, ...] = ()) -> bytes:
    """A PyTorch file of before 1.6 with this pickle."""
    parts = [pickle.dumps(part, 2) for part in (_MAGIC, _PROTOCOL, _SYSTEM)]
    return b"".join(parts) + pickled + pickle.dumps(list(keys), 2) + storages


def saved(content: object, **options: Any) -> bytes:
    """What `torch.save` writes."""
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def safetensors(header: object, data: bytes = b"") -> bytes:
    """A safetensors file with this header, which may be text as it stands."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor_pickle(
    shape: tuple[int, ...], stride: tuple[int, ...], numel: int, offset: int = 0, name: str = "a", key: str = "0"
) -> bytes:
    """A state dict of one tensor by PyTorch's opcodes, with sizes that need not be true."""

    def number(value: int) -> bytes:
        return pickle.dumps(value, 2)[2:-1]

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()

    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + number(numel) + b"tQ"
    sizes = b"(" + b"".join(map(number, shape)) + b"t(" + b"".join(map(number, stride)) + b"t"
    rebuilt = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset) + sizes
    return b"\x80\x02}(" + text(name) + rebuilt + b"\x89ccollections\nOrderedDict\n)RtRu."


def small_network() -> dict[str, torch.Tensor]:
    """The state of a network of a few parameters."""
    torch.manual_seed(0)
    return TTSR(SMALL).state_dict()


SMALL = TTSRConfig(channels=4, num_blocks=(1, 0, 0, 1), extractor_channels=(3, 4, 5))


def network_file(changes: dict[str, torch.Tensor], **metadata: str) -> bytes:
    """The small network as safetensors, with other tensors and metadata."""
    return save_safetensors(small_network() | changes, Metadata(SMALL).to_strings() | metadata)


def pickles_with_code(marker: Path) -> dict[str, bytes]:
    """Pickles that would run code, which would make the file `marker`."""
    import builtins
    import os

    command = f"touch {marker}"
    source = f"open({str(marker)!r}, 'w')"

    def pickled(value: object, protocol: int = 2) -> bytes:
        return pickle.dumps({"state_dict": value}, protocol)

    def operation(code: bytes) -> bytes:
        return b"\x80\x02" + code + b"."

    line = command.encode()
    chain = b"c__builtin__\ngetattr\n(c__builtin__\n__import__\n(X\x02\0\0\0ostRX\x06\0\0\0systemtR(X"
    return {
        "os.system": pickled(Call(os.system, command)),
        "os.system by name": pickled(Call(os.system, command), 4),
        "eval": pickled(Call(eval, source)),
        "exec": pickled(Call(exec, source)),
        "nested": pickled({"a": [Call(list, Call(map, eval, [source]))]}),
        "subprocess": operation(b"csubprocess\ngetoutput\n(X" + struct.pack("<I", len(line)) + line + b"tR"),
        "protocol 0": b"cos\nsystem\n(V" + line + b"\ntR.",
        "inst": b"(S'" + line + b"'\nios\nsystem\n.",
        "obj": b"(cos\nsystem\nS'" + line + b"'\no.",
        "build": operation(b"ccollections\nOrderedDict\n)R}X\x0c\0\0\0__setstate__cos\nsystem\nsbU\x01ab"),
        "newobj": operation(b"cos\nsystem\nX" + struct.pack("<I", len(line)) + line + b"\x85\x81"),
        "getattr": operation(chain + struct.pack("<I", len(line)) + line + b"tR"),
        "getattr of a stand-in": operation(
            b"cbuiltins\ngetattr\n(cmmengine.logging.history_buffer\nHistoryBuffer\n"
            b"X\x08\0\0\0__init__tR(cposix\nsystem\nX\x01\0\0\0atR"
        ),
        "dotted name": b"\x80\x04\x8c\x05torch\x8c\x14serialization.os.sys\x93.",
        "extension": operation(b"\x82\x01"),
        "persistent id": operation(b"(X\x06\0\0\0modulecos\nsystem\nX\x01\0\0\0aX\x01\0\0\0btQ"),
        "text persistent id": b"Pos.system\n.",
        "load from bytes": pickled(Call(torch.storage._load_from_bytes, pickled(Call(eval, source)))),  # pyright: ignore
        "__main__": operation(b"c__main__\nopen\n(X\x01\0\0\0atR"),
        "import": pickled(Call(builtins.__import__, "antigravity")),
    }


def greedy_pickles() -> dict[str, bytes]:
    """Pickles that would take memory or time without end."""
    doubled = b"\x80\x02)" + b"".join(b"q%c\x85h%c\x86" % (n, n) for n in range(200))

    def called(name: str, arguments: bytes) -> bytes:
        return b"\x80\x02c" + name.replace(" ", "\n").encode() + b"\n(" + arguments + b"tR."

    huge = b"\x8a\x05" + (10**11).to_bytes(5, "little")
    return {
        "key that takes ages to hash": b"\x80\x02}" + doubled[2:] + b"K\x01s.",
        "set of what takes ages to hash": called("__builtin__ set", doubled[2:] + b"\x85"),
        "tuple that takes ages to print": b"\x80\x02}X\1\0\0\0a" + doubled[2:] + b"s.",
        "torch.Tensor": called("torch Tensor", huge),
        "FloatStorage": called("torch FloatStorage", huge),
        "bytearray": called("__builtin__ bytearray", huge),
        "place in the memo": b"\x80\x02Nr\xff\xff\xff\x7f.",
        "length of a text": b"\x80\x04\x8d" + struct.pack("<Q", 2**60) + b"a.",
        "length of bytes": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"a.",
        "length of a number": b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"a.",
        "negative length": b"\x80\x02\x8b" + struct.pack("<i", -5) + b"a.",
        "frame": b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b"N.",
        "digits": b"I" + b"9" * 100_000 + b"\n.",
        "nesting": b"\x80\x02" + b"(" * 50_000 + b"N" + b"l" * 50_000 + b".",
        "nested lists": b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b".",
        "many objects": b"\x80\x02(" + b"N" * 600_000 + b"l.",
        "many bytes": called("_codecs encode", b"X" + struct.pack("<I", 10**6) + b"a" * 10**6 + b"X\6\0\0\0latin1"),
        "no end": b"\x80\x02N",
        "pops nothing": b"\x80\x02000.",
        "unknown opcode": b"\x80\x02\xfe.",
        "numbers that collide": b"\x80\x02}("
        + b"".join(b"\x8a\x14" + (n * (2**61 - 1)).to_bytes(20, "little") + b"N" for n in range(1, 30_000))
        + b"u.",
        "number as a key": b"\x80\x02}\x8b" + struct.pack("<i", 40_000) + b"\7" * 40_000 + b"Ns.",
        "itself": b"\x80\x02]q\0h\0a.",
    }


def lying_tensors() -> dict[str, bytes]:
    """State dicts whose tensors are not what their file holds."""
    data = bytes(16)
    giant = (10**6, 10**6)
    return {
        "more values than stored": zipped(tensor_pickle((1000,), (1,), 1000), **{"data/0": data}),
        "1e12 values": zipped(tensor_pickle(giant, (10**6, 1), 10**12), **{"data/0": data}),
        "1e12 values of one": zipped(tensor_pickle(giant, (0, 0), 4), **{"data/0": data}),
        "beyond the storage": zipped(tensor_pickle((2, 2), (2, 1), 4, offset=1), **{"data/0": data}),
        "before the storage": zipped(tensor_pickle((4,), (1,), 4, offset=-4), **{"data/0": data}),
        "negative stride": zipped(tensor_pickle((4,), (-1,), 4, offset=3), **{"data/0": data}),
        "negative shape": zipped(tensor_pickle((-4, -1), (1, 1), 4), **{"data/0": data}),
        "shape that overflows": zipped(tensor_pickle((2**62, 4), (4, 1), 4), **{"data/0": data}),
        "stride that overflows": zipped(tensor_pickle((2, 2), (2**63, 1), 4), **{"data/0": data}),
        "a thousand dimensions": zipped(tensor_pickle((1,) * 1000, (1,) * 1000, 4), **{"data/0": data}),
        "strides of another number": zipped(tensor_pickle((2, 2), (1,), 4), **{"data/0": data}),
        "no storage": zipped(tensor_pickle((4,), (1,), 4)),
        "storage elsewhere": zipped(tensor_pickle((4,), (1,), 4, key="../../etc/passwd"), **{"data/0": data}),
        "legacy, more than stored": legacy(tensor_pickle((1000,), (1,), 1000), struct.pack("<q", 4) + data, ("0",)),
        "legacy, 1e12 values": legacy(tensor_pickle(giant, (10**6, 1), 10**12), struct.pack("<q", 10**12), ("0",)),
        "legacy, storage of another name": legacy(tensor_pickle((4,), (1,), 4), struct.pack("<q", 4) + data, ("1",)),
        "legacy, negative size": legacy(tensor_pickle((4,), (1,), -4), struct.pack("<q", -4) + data, ("0",)),
    }


def odd_archives() -> dict[str, bytes]:
    """Tricks with ZIP and tar."""
    good = saved({"synthesis.a": torch.zeros(4)})
    pickled = tensor_pickle((4,), (1,), 4)
    state = {"data/0": bytes(16)}

    def rewritten(change: Callable[[zipfile.ZipFile], None], method: int = zipfile.ZIP_STORED) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            change(archive)
        return file.getvalue()

    def several(archive: zipfile.ZipFile) -> None:
        for folder in ("a", "b"):
            archive.writestr(f"{folder}/data.pkl", pickled)
            archive.writestr(f"{folder}/data/0", bytes(16))

    def twice(archive: zipfile.ZipFile) -> None:
        archive.writestr("a/data.pkl", pickled)
        archive.writestr("a/data.pkl", pickled.replace(b"X\1\0\0\0a", b"X\1\0\0\0b"))
        archive.writestr("a/data/0", bytes(16))

    def bomb(archive: zipfile.ZipFile) -> None:
        archive.writestr("a/data.pkl", tensor_pickle((10**7,), (1,), 10**7))
        archive.writestr("a/data/0", bytes(4 * 10**7))

    def named(name: str) -> Callable[[zipfile.ZipFile], None]:
        def change(archive: zipfile.ZipFile) -> None:
            archive.writestr(name, pickled)

        return change

    def patched(content: bytes, mark: bytes, place: int, new: bytes) -> bytes:
        start = content.index(mark) + place
        return content[:start] + new + content[start + len(new) :]

    def torchscript() -> bytes:
        file = io.BytesIO()
        torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), file)
        return file.getvalue()

    def tar() -> bytes:
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as archive:
            for name in ("storages", "tensors", "pickle", "../../escaped", "/tmp/escaped"):
                entry = tarfile.TarInfo(name)
                entry.size = len(pickled)
                archive.addfile(entry, io.BytesIO(pickled))
        return file.getvalue()

    plain = zipped(pickled, **state)
    return {
        "several data.pkl": rewritten(several),
        "data.pkl twice": rewritten(twice),
        "absolute name": rewritten(named("/tmp/data.pkl")),
        "name with ..": rewritten(named("../data.pkl")),
        "no data.pkl": rewritten(named("a/other")),
        "nothing": rewritten(lambda archive: None),
        "bomb": rewritten(bomb, zipfile.ZIP_DEFLATED),
        "bzip2": rewritten(bomb, zipfile.ZIP_BZIP2),
        "lzma": rewritten(bomb, zipfile.ZIP_LZMA),
        "encrypted": patched(plain, b"PK\1\2", 8, b"\1\0"),
        "size of 4 GB": patched(plain, b"PK\1\2", 24, struct.pack("<I", 2**32 - 2)),
        "zip64 without sizes": patched(plain, b"PK\1\2", 20, b"\xff" * 8),
        "offset outside": patched(plain, b"PK\1\2", 42, struct.pack("<I", 2**31)),
        "wrong CRC": patched(good, b"PK\1\2", 16, b"\1\2\3\4"),
        "number of members": patched(plain, b"PK\5\6", 8, b"\xff\xff\xff\xff"),
        "size of the directory": patched(plain, b"PK\5\6", 12, b"\xff\xff\xff\x7f"),
        "data before it": b"#!/bin/sh\n" + plain,
        "TorchScript": torchscript(),
        "tar": tar(),
    }


def lying_safetensors() -> dict[str, bytes]:
    """Headers of safetensors that are not true, or greedy."""

    def entry(shape: list[int], start: int, end: int, dtype: str = "F32") -> dict[str, Any]:
        return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}

    four = bytes(16)
    deep = b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    once = json.dumps({"a": entry([4], 0, 16)}).encode()[1:-1]
    return {
        "length beyond the file": struct.pack("<Q", 2**40) + b"{}",
        "length of 2^64": b"\xff" * 8 + b"{}",
        "length that is negative": struct.pack("<q", -1) + b"{}",
        "header of 90 MB": struct.pack("<Q", 90_000_000) + b"{" + b" " * 89_999_998 + b"}",
        "metadata of 20 MB": safetensors({"__metadata__": {str(n): "a" * 50 for n in range(300_000)}}),
        "300,000 tensors": safetensors({f"t{n}": entry([0], 0, 0) for n in range(300_000)}),
        "beyond the file": safetensors({"a": entry([8], 0, 32)}, four),
        "overlapping": safetensors({"a": entry([4], 0, 16), "b": entry([4], 0, 16)}, four),
        "gap": safetensors({"a": entry([2], 0, 8), "b": entry([1], 12, 16)}, four),
        "negative offset": safetensors({"a": entry([4], -16, 0)}, four),
        "end before the start": safetensors({"a": entry([4], 16, 0)}, four),
        "1e12 values": safetensors({"a": entry([10**6, 10**6], 0, 16)}, four),
        "shape that overflows": safetensors({"a": entry([2**32, 2**32, 4], 0, 16)}, four),
        "shape of 2^64": safetensors({"a": entry([2**64], 0, 16)}, four),
        "negative shape": safetensors({"a": entry([-4], 0, 16)}, four),
        "unknown type": safetensors({"a": entry([4], 0, 16, "X99")}, four),
        "name twice": safetensors(b"{" + once + b"," + once + b"}", four),
        "deep nesting": safetensors(deep),
        "NaN as a number": safetensors(b'{"a": NaN}'),
        "no object": safetensors(b"{1}"),
        "not UTF-8": safetensors(b'{"\xff\xfe": 1}'),
        "metadata of another type": safetensors({"__metadata__": {"format": 3}}),
        "a thousand dimensions": safetensors({"synthesis.a": entry([1] * 1000, 0, 4)}, bytes(4)),
        "no tensors": safetensors({}),
    }


def absurd_networks() -> dict[str, bytes]:
    """Files of the right form that no network can be made of."""

    def sized(**sizes: Any) -> bytes:
        config = json.loads(Metadata(SMALL).to_strings()["config"]) | sizes
        return network_file({}, config=json.dumps(config))

    conv = "synthesis.chain1.tail.weight"
    whole = small_network()
    many = {f"synthesis.chain1.blocks.{n}.conv1.weight": torch.zeros(0) for n in range(20_000)}
    return {
        "1e9 channels": sized(channels=10**9),
        "1e9 blocks": sized(num_blocks=[10**9] * 4),
        "1e30 channels": sized(extractor_channels=[10**30] * 3),
        "negative channels": sized(channels=-4),
        "sizes as text": sized(channels="4"),
        "endless list of blocks": sized(num_blocks=[1] * 100_000),
        "infinite scale": sized(res_scale=float("inf")),
        "deep metadata": network_file({}, config="[" * 100_000),
        "20,000 blocks": network_file(many),
        "deep scores": network_file({}, scores='{"a":' * 50_000),
        "long number": network_file({}, config='{"channels": ' + "9" * 5000 + "}"),
        "NaN": network_file({conv: torch.full_like(whole[conv], torch.nan)}),
        "infinite": network_file({conv: torch.full_like(whole[conv], torch.inf)}),
        "integers": network_file({conv: torch.zeros_like(whole[conv], dtype=torch.int64)}),
        "no values": network_file({conv: torch.zeros(0, 4, 3, 3)}),
        "escape sequences": network_file({"synthesis.\x1b[2J\n\x07more": torch.zeros(1)}),
        "run with a bomb": saved({"recipe": BOMB, "step": 1, "average": whole}),
        "run with a tag": saved({"recipe": "model: !!python/object/apply:os.system [a]", "step": 1, "average": whole}),
        "run with a deep recipe": saved({"recipe": "[" * 50_000, "step": 1, "average": whole}),
        "run with a cycle": saved({"recipe": "model: &a [*a]", "step": 1, "average": whole}),
    }


BOMB = (
    "a: &a [1,1]\n"
    + "".join(f"a{n}: &a{n} [*a{n - 1 or ''},*a{n - 1 or ''}]\n" for n in range(1, 60))
    + "model: *a59\n"
)
"""YAML of a kilobyte that stands for 2^60 numbers."""


def hostile_checkpoints(marker: Path) -> Iterator[tuple[str, bytes]]:
    """All of them, by group and name; the code of those that carry some would write `marker`."""
    for name, content in pickles_with_code(marker).items():
        yield f"code: {name}", zipped(content)
        yield f"legacy code: {name}", legacy(content)
    for name, content in greedy_pickles().items():
        yield f"greedy: {name}", zipped(content)
        yield f"legacy greedy: {name}", legacy(content)
    for group, cases in (
        ("tensors", lying_tensors()),
        ("archive", odd_archives()),
        ("safetensors", lying_safetensors()),
        ("network", absurd_networks()),
    ):
        yield from ((f"{group}: {name}", content) for name, content in cases.items())


def checkpoint_seeds(marker: Path) -> Iterator[bytes]:
    """Files to begin to fuzz with, of every form: those of the small network, and the hostile ones that are short."""
    whole = small_network()
    yield network_file({})
    for layout in LAYOUTS.values():
        state = {layout.to_theirs(key): value for key, value in whole.items()} | layout.normalisation_state()
        yield saved({"meta": {}, "state_dict": state})
        yield saved(state, _use_new_zipfile_serialization=False)
    recipe = "name: a\nmodel: {channels: 4, num_blocks: [1, 0, 0, 1], extractor_channels: [3, 4, 5]}\n"
    run = {"recipe": recipe, "step": 1, "seconds": 1.5, "best": None, "model": whole, "average": whole}
    yield saved(run)
    pickled, values = tensor_pickle((2, 3), (3, 1), 6, name="synthesis.a"), bytes(24)
    yield zipped(pickled, **{"data/0": values})
    yield legacy(pickled, struct.pack("<q", 6) + values, ("0",))
    yield from (content for _, content in hostile_checkpoints(marker) if len(content) <= _LONGEST_SEED)
