"""Where to compute, and with how many bits: what is asked for, held against what is there."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

from ttsr.errors import UserError

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(name: str | torch.device = "auto") -> torch.device:
    """The device called `name`; `auto` takes a CUDA GPU, else Apple's, else the CPU.

    Raises:
        UserError: there is no such device here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"unknown device {str(name)!r}: use auto, cpu, cuda or mps") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError("no CUDA device here (or a PyTorch built without CUDA): use --device cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"no device {device}: the last one here is cuda:{torch.cuda.device_count() - 1}")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError("no Apple GPU (mps) here: use --device cpu")
    if device.type not in ("cpu", "cuda", "mps"):
        raise UserError(f"device {str(name)!r} is not supported: use auto, cpu, cuda or mps")
    return device


def check_precision(precision: str, device: torch.device) -> None:
    """See that `device` can compute in `precision`, by computing a small convolution.

    Raises:
        UserError: the name is unknown, or PyTorch has no such arithmetic on this device.
    """
    if precision == "fp32":
        return
    if precision not in _DTYPES:
        raise UserError(f"unknown precision {precision!r}: use fp32, bf16 or fp16")
    try:
        with computing_in(precision, device):
            image, weight = torch.zeros(1, 3, 8, 8, device=device), torch.zeros(3, 3, 3, 3, device=device)
            torch.nn.functional.conv2d(image, weight).float().cpu()
    except (RuntimeError, NotImplementedError, TypeError):
        raise UserError(f"precision {precision} does not work on device {device} here: use fp32") from None


def computing_in(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Within it, convolutions and products run in `precision`; the weights stay as they are."""
    if precision == "fp32":
        return _whole_fp32()
    return torch.autocast(device.type, _DTYPES[precision])


@contextmanager
def _whole_fp32() -> Iterator[None]:
    """Keep cuDNN's convolutions from rounding fp32 to the 10 bits of TF32, as PyTorch lets them by default."""
    # Since PyTorch 2.9 one operator can be set by itself, and reading the older flag fails where anyone has done so.
    convolutions = getattr(torch.backends.cudnn, "conv", None)
    if convolutions is not None:
        place, name, whole = convolutions, "fp32_precision", "ieee"
    else:
        place, name, whole = torch.backends.cudnn, "allow_tf32", False
    before = getattr(place, name)
    setattr(place, name, whole)
    try:
        yield
    finally:
        setattr(place, name, before)
