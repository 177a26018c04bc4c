"""How the network is run for a result: in which precision, without gradients, one line where memory is short."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ttsr.errors import UserError
from ttsr.models.config import TTSRConfig
from ttsr.options import Precision
from ttsr.system.precision import computes_in_bf16, computing_in


@contextmanager
def computing(precision: Precision, device: torch.device) -> Iterator[None]:
    """Without gradients, in the chosen precision; running out of memory becomes one line."""
    try:
        with torch.inference_mode(), computing_in(precision, device):
            yield
    except (MemoryError, RuntimeError) as error:
        on_gpu_or_array = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not on_gpu_or_array and "can't allocate memory" not in str(error):  # how PyTorch's CPU allocator says it
            raise
        what = f"device {device} ran out of memory"
        remedy = "take a smaller picture, or smaller or fewer references, or close other programs"
        raise UserError(what, remedy) from None


def best_precision(config: TTSRConfig, device: torch.device) -> Precision:
    """In 16 bits only where they cost little: what is added to bicubic is small, and so are its rounding errors."""
    return "bf16" if config.bicubic_skip and computes_in_bf16(device) else "fp32"
