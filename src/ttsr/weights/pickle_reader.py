"""Pickles of checkpoints, read as data.

A pickle is a program: it may call whatever it names. Here nothing is called. Operations build numbers, texts, lists,
dictionaries and tensors, the names of a closed list stand for themselves, and every other name is refused. Memory and
time are limited by the length of the pickle and by the storages, which the caller hands out.
"""

import math
import pickletools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO

import torch
from torch import Tensor

_DTYPES = {f"torch.{name}": value for name, value in vars(torch).items() if isinstance(value, torch.dtype)}
_STORAGES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
    "UntypedStorage": torch.uint8,
}
_STORAGE_NAMES = {f"{module}.{name}" for module in ("torch", "torch.cuda", "torch.storage") for name in _STORAGES}

# What stands beside the weights, such as MMEngine's log with its NumPy arrays, and tensors of other kinds.
_BESIDE_THE_WEIGHTS = {
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
    "builtins.set",
    "builtins.bytearray",
    "builtins.complex",
    "_codecs.encode",
    "collections.Counter",
    "collections.defaultdict",
    "torch.device",
    "torch.serialization._get_layout",
    "torch._utils._rebuild_sparse_tensor",
    "torch._utils._rebuild_meta_tensor_no_storage",
    "torch._utils._rebuild_nested_tensor",
    "torch._utils._rebuild_qtensor",
    "torch._tensor._rebuild_from_type_v2",
}
_REBUILT = {
    "collections.OrderedDict",
    "torch.Size",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_parameter",
    "torch.nn.parameter.Parameter",
}
_NAMES = _BESIDE_THE_WEIGHTS | _REBUILT | _STORAGE_NAMES | _DTYPES.keys()

# What an operation of pickle pushes as it stands in the file.
_PLAIN = {opcode.name for opcode in pickletools.opcodes if opcode.arg is not None and not opcode.stack_before}
_PLAIN -= {"PROTO", "FRAME", "GLOBAL", "PERSID", "INST", "GET", "BINGET", "LONG_BINGET", "EXT1", "EXT2", "EXT4"}
_PLAIN -= {"PUT", "BINPUT", "LONG_BINPUT"}
_MEMORISED = {"PUT", "BINPUT", "LONG_BINPUT"}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}

_MOST_OPERATIONS = 500_000  # a checkpoint has some sixty for a tensor
_MOST_DIMENSIONS = 16
_MOST_KEY = 2**60  # larger numbers may be chosen so that all of them have one hash


class UnreadableError(ValueError):
    """A pickle or its file is damaged, or holds what is refused. Its text is the reason, in one line."""


@dataclass(frozen=True)
class Named:
    """A name in a pickle, or what would be made by calling it."""

    name: str


@dataclass(frozen=True)
class Storage:
    """Values of tensors: their bytes, (N,) uint8, and the type that the file states for them."""

    content: Tensor
    dtype: torch.dtype


@dataclass(frozen=True)
class StorageId:
    """What a pickle says of a storage.

    Attributes:
        key: its name in the file.
        dtype: of its values.
        length: number of its values.
        view: the first and the end of the values of it that are meant: all, but in old files.
    """

    key: str
    dtype: torch.dtype
    length: int
    view: tuple[int, int]


def read_pickle(file: BinaryIO, storage_of: Callable[[StorageId], Storage]) -> Any:
    """The value of the pickle at the position of a file in memory, which is then behind it.

    Args:
        file: the pickle.
        storage_of: the storage that an id stands for.

    Raises:
        UnreadableError: damaged, or it holds what weights do not.
    """
    reader = _Reader(storage_of)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
            if count == _MOST_OPERATIONS:
                raise UnreadableError("contains far more objects than weights have")
            reader.apply(opcode.name, argument)
        (value,) = reader.stack
    except UnreadableError:
        raise
    except Exception:  # damaged bytes make any operation fail in any way
        raise UnreadableError("not a checkpoint, or damaged or truncated") from None
    return value


class _Reader:
    """The state of a pickle between two operations."""

    def __init__(self, storage_of: Callable[[StorageId], Storage]) -> None:
        self.stack: list[Any] = []
        self._below: list[list[Any]] = []  # the stacks below each mark
        self._memo: dict[int, Any] = {}
        self._storage_of = storage_of

    def apply(self, operation: str, argument: Any) -> None:
        """Carry out an operation."""
        stack = self.stack
        match operation:
            case _ if operation in _PLAIN:
                stack.append(argument)
            case _ if operation in _CONSTANTS:
                stack.append(_CONSTANTS[operation])
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_DICT":
                stack.append({})
            case "MARK":
                self._below.append(stack)
                self.stack = []
            case "TUPLE" | "LIST" | "DICT":
                items = self._since_mark()
                self.stack.append(
                    tuple(items) if operation == "TUPLE" else items if operation == "LIST" else _with_items({}, items)
                )
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(reversed([stack.pop() for _ in range(int(operation[-1]))])))
            case "APPEND":
                _append(stack, [stack.pop()])
            case "APPENDS":
                _append(self._below[-1], self._since_mark())
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                _with_items(stack[-1], [key, value])
            case "SETITEMS":
                items = self._since_mark()
                _with_items(self.stack[-1], items)
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(self._memo[int(argument)])
            case "MEMOIZE":
                self._memo[len(self._memo)] = stack[-1]
            case _ if operation in _MEMORISED:
                self._memo[int(argument)] = stack[-1]
            case "POP":
                stack.pop()
            case "GLOBAL":
                stack.append(_named(*argument.split(" ")))
            case "STACK_GLOBAL":
                name, module = stack.pop(), stack.pop()
                stack.append(_named(module, name))
            case "INST":
                _named(*argument.split(" "))
                raise UnreadableError("not written by PyTorch (INST)")
            case "REDUCE" | "NEWOBJ":
                arguments, named = stack.pop(), stack.pop()
                stack.append(_made(named, arguments))
            case "BUILD":  # attributes of what needs none, such as the versions of modules of a state dict
                stack.pop()
            case "BINPERSID":
                stack.append(self._storage_of(_storage_id(stack.pop())))
            case "PROTO" | "FRAME" | "STOP":
                pass
            case _:
                raise UnreadableError(f"not written by PyTorch ({operation})")

    def _since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self._below.pop()
        return items


def _append(stack: list[Any], items: list[Any]) -> None:
    if isinstance(stack[-1], list):
        stack[-1].extend(items)
    elif not isinstance(stack[-1], Named):
        raise UnreadableError("not written by PyTorch (a list is no list)")


def _with_items(target: Any, items: list[Any]) -> Any:
    """`target` with keys and values, one after the other."""
    if isinstance(target, Named):
        return target
    if not isinstance(target, dict):
        raise UnreadableError("not written by PyTorch (a dictionary is no dictionary)")
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Others take long to hash: a tuple of tuples that stands for 2^200 objects.
        if not isinstance(key, str) and not (isinstance(key, int) and abs(key) <= _MOST_KEY):
            raise UnreadableError("contains a key that is neither a text nor a number")
        target[key] = value
    return target


def _named(module: str, name: str) -> Named:
    """The name, if it is one of those that stand for themselves."""
    full = f"{module}.{name}".replace("__builtin__.", "builtins.", 1)
    if full not in _NAMES:
        shown = full if full.isascii() and full.isprintable() else ascii(full)
        raise UnreadableError(f"contains more than weights ({shown[:80]}); refused for safety")
    return Named(full)


def _made(named: Any, arguments: Any) -> Any:
    """What stands for the result of a call."""
    if not isinstance(named, Named) or not isinstance(arguments, tuple):
        raise UnreadableError("contains more than weights; refused for safety")
    match named.name:
        case "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor_v3":
            return _tensor(*arguments[:4], *arguments[6:7])
        case "torch._utils._rebuild_parameter" | "torch.nn.parameter.Parameter":
            return arguments[0]
        case "torch.Size":
            return tuple(arguments[0])
        case "collections.OrderedDict":
            pairs: Iterable[Any] = arguments[0] if arguments else ()  # as Python 2 wrote it
            return _with_items({}, [part for key, value in pairs for part in (key, value)])
        case _:
            return named


def _storage_id(stated: Any) -> StorageId:
    """From `("storage", type, key, device, length)`, and in old files `(key, offset, length)` of a part or None."""
    if not (isinstance(stated, tuple) and len(stated) in (5, 6) and stated[0] == "storage"):
        raise UnreadableError("contains a reference to something outside of it; refused for safety")
    _, kind, key, _, length, *views = stated
    if not isinstance(kind, Named) or kind.name not in _STORAGE_NAMES:
        raise UnreadableError("contains a storage of an unknown type")
    offset, part = views[0][1:] if views and views[0] is not None else (0, length)
    if not isinstance(key, str) or not all(type(number) is int and number >= 0 for number in (length, offset, part)):
        raise UnreadableError("contains a storage of an impossible size")
    if offset + part > length:
        raise UnreadableError("contains a storage of an impossible size")
    return StorageId(key, _STORAGES[kind.name.rpartition(".")[2]], length, (offset, offset + part))


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, dtype: Any = None) -> Tensor:
    """A view of a storage, which must lie in it."""
    if not isinstance(storage, Storage) or not isinstance(size, tuple) or not isinstance(stride, tuple):
        raise UnreadableError("contains a tensor without values")
    kind = storage.dtype if dtype is None else _DTYPES[dtype.name]
    if not all(type(number) is int and number >= 0 for number in (offset, *size, *stride)):
        raise UnreadableError("contains a tensor of negative size")
    if len(size) > _MOST_DIMENSIONS or len(size) != len(stride):
        raise UnreadableError(f"contains a tensor of {len(size)} dimensions")
    length = storage.content.numel() // kind.itemsize
    last = offset + sum((number - 1) * step for number, step in zip(size, stride, strict=True))
    if math.prod(size) and last >= length:
        raise UnreadableError("its tensors declare far more values than the file contains")
    if math.prod(size) * kind.itemsize > 2**62 or max((offset, *stride)) > 2**62:
        raise UnreadableError("its tensors declare far more values than the file contains")
    values = storage.content[: length * kind.itemsize].view(kind)
    return values.as_strided(size, stride, offset if math.prod(size) else 0)
