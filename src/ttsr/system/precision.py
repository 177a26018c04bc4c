"""The arithmetic to compute in: formats of numbers, and how a GPU multiplies fp32."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import get_args

import torch
from torch import Tensor

from ttsr.errors import UserError
from ttsr.options import Precision

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}

# PyTorch's settings of fp32 are the process's. Of the threads that want one, by `rounded`, the first sets it and the
# last restores it: else one could restore what another had set.
_lock = threading.Lock()
_holders = {False: 0, True: 0}
_restore: dict[bool, Callable[[], None]] = {}


def check_precision(precision: str, device: torch.device) -> None:
    """Check that `device` can compute in `precision`, with a small convolution.

    Raises:
        UserError: the name is unknown, or PyTorch has no such arithmetic on this device.
    """
    if precision not in get_args(Precision):
        raise UserError(f"unknown precision {precision!r}", f"use one of {', '.join(get_args(Precision))}")
    works = precision != "tf32" or device.type == "cuda"
    if precision in _AUTOCAST:
        try:
            with torch.autocast(device.type, _AUTOCAST[precision]):
                image, weight = torch.zeros(1, 3, 8, 8, device=device), torch.zeros(3, 3, 3, 3, device=device)
                torch.nn.functional.conv2d(image, weight).float().cpu()
        except (RuntimeError, NotImplementedError, TypeError):
            works = False
    if not works:
        raise UserError(f"precision {precision} does not work on device {device}", "use fp32")


def computes_in_bf16(device: torch.device) -> bool:
    """Whether convolutions are faster there in bf16 than in fp32, by what the hardware states.

    Nothing is timed: on a busy machine the choice, and with it the result, would be up to chance. Of CPUs it is those
    with AVX512_BF16, which every CPU with AMX has too; other instructions, such as ARM's, have not been measured.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    states_bf16 = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return device.type == "cpu" and states_bf16 is not None and torch.backends.mkldnn.is_available() and states_bf16()


def computing_in(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Within it, convolutions and products run in `precision`; the weights stay as they are."""
    return autocast(precision, device) if precision in _AUTOCAST else fp32_products(rounded=precision == "tf32")


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Within it, convolutions and products run in bf16 or fp16; for fp32 and tf32 nothing changes."""
    return torch.autocast(device.type, _AUTOCAST[precision]) if precision in _AUTOCAST else nullcontext()


@contextmanager
def fp32_products(*, rounded: bool) -> Iterator[None]:
    """Within it, a GPU multiplies fp32 exactly, or rounded to the 10 bits of TF32.

    PyTorch's own default is exact matrix products and rounded convolutions (cuDNN's). Threads may be within it at once;
    what one of them sets holds for all.
    """
    with _lock:
        if _holders[rounded] == 0:
            _restore[rounded] = _round_products() if rounded else _make_convolutions_exact()
        _holders[rounded] += 1
    try:
        yield
    finally:
        with _lock:
            _holders[rounded] -= 1
            if _holders[rounded] == 0:
                _restore.pop(rounded)()


def _round_products() -> Callable[[], None]:
    """Returns what restores the setting."""
    restore = partial(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
    torch.set_float32_matmul_precision("high")
    return restore


def _make_convolutions_exact() -> Callable[[], None]:
    """Returns what restores the setting."""
    # Since PyTorch 2.9 an operator can be set by itself, and reading the older flag fails where anyone has done so.
    convolutions = getattr(torch.backends.cudnn, "conv", None)
    if convolutions is not None:
        place, name, exact = convolutions, "fp32_precision", "ieee"
    else:
        place, name, exact = torch.backends.cudnn, "allow_tf32", False
    restore = partial(setattr, place, name, getattr(place, name))
    setattr(place, name, exact)
    return restore


def bytes_per_value(precision: Precision) -> int:
    """How many bytes an activation takes in `precision`."""
    return 2 if precision in _AUTOCAST else 4


def at_least_float32(x: Tensor) -> Tensor:
    """`x`, converted to 32 bits if it has fewer: for sums and comparisons that 16 bits are too coarse for."""
    return x.float() if x.element_size() < 4 else x
