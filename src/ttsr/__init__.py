"""Reference-based super-resolution after TTSR (Yang et al., CVPR 2020)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["TTSR", "Upscaled", "Upscaler", "__version__", "load"]

if TYPE_CHECKING:
    from ttsr.inference.upscaler import Upscaled, Upscaler
    from ttsr.models.ttsr import TTSR
    from ttsr.weights.loading import load

_HOMES = {
    "TTSR": "ttsr.models.ttsr",
    "Upscaled": "ttsr.inference.upscaler",
    "Upscaler": "ttsr.inference.upscaler",
    "load": "ttsr.weights.loading",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that `import ttsr` and `ttsr --help` do not wait for torch."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'ttsr' has no attribute {name!r}")
