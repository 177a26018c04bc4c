"""Sums and comparisons that 16 bits are too coarse for."""

from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """`x` itself, or in 32 bits if it has fewer."""
    return x.float() if x.element_size() < 4 else x
