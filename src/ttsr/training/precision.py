"""How exact a GPU's fp32 products are while training."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

from ttsr.system.device import computing_in
from ttsr.training.recipe import Precision


def training_in(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Within it fp32 products are whole for `fp32`, and rounded to TF32 where a GPU can for the other precisions."""
    return computing_in("fp32", device) if precision == "fp32" else _rounded()


@contextmanager
def _rounded() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")  # cuDNN's convolutions are rounded by default
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
