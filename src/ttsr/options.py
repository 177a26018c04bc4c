"""What the commands and the library let one choose from; free of torch, so that `--help` need not wait for it."""

from typing import Literal

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["fp32", "bf16", "fp16"]

DEFAULT_MODEL = "ttsr-lite"
