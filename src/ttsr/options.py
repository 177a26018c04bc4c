"""Options that commands and library share, with their defaults. Without torch, so that `--help` does not wait."""

import re
from typing import Literal

from ttsr.errors import UserError

Device = str
"""`auto`, `cpu`, `cuda`, `cuda:N` (one of several GPUs, counted from 0) or `mps` (Apple's GPU)."""

Precision = Literal["fp32", "tf32", "bf16", "fp16"]
"""`fp32` is exact; `tf32` rounds the products of fp32 (CUDA only); `bf16` and `fp16` compute in 16 bits by autocast."""

PrecisionChoice = Literal["auto", Precision]
"""`auto` is `bf16` where the hardware computes in it and the result stays within 50 dB of that of `fp32`."""

Search = Literal["auto", "exact", "coherent"]
"""`exact` compares every LR cell with every reference cell, as published; `coherent` searches coarse to fine; `auto` is
`coherent` for networks that refine their matches, as our own do, and `exact` for the published one."""

PoseSearch = Literal["auto", "on", "mirrored", "off"]
"""Whether scale and rotation of references are estimated, and of their mirror images too; `auto` as for `Search`."""

MatchColour = Literal["auto", "on", "off"]
"""Whether exposure and white balance of references are brought to those of the LR picture; `auto` as for `Search`."""

DEFAULT_MODEL = "ttsr-lite"
DEFAULT_DEVICE: Device = "auto"
DEFAULT_PRECISION: PrecisionChoice = "auto"
DEFAULT_SEARCH: Search = "auto"
DEFAULT_POSE: PoseSearch = "auto"
DEFAULT_MATCH_COLOUR: MatchColour = "auto"
DEFAULT_MAX_REFS = 5
"""References that are chosen for a picture from folders of photos, at most."""

_DEVICE = re.compile(r"auto|(cpu|cuda|mps)(:(0|[1-9]\d?))?")


def check_device_name(name: str) -> None:
    """Check how a device is written, whether or not this machine has it.

    Raises:
        UserError: it is not one of `Device`.
    """
    if not _DEVICE.fullmatch(name):
        raise UserError(f"unknown device {name!r}", "use auto, cpu, cuda, cuda:N (N from 0) or mps")
