"""The ground floor: devices, precision, memory, files, processes. Imports only errors and options of ttsr."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
    from ttsr.system.device import choose_device
    from ttsr.system.distributed import Runtime
    from ttsr.system.files import atomic_path, refuse_overwriting
    from ttsr.system.memory import available_bytes, gigabytes, peak_bytes
    from ttsr.system.precision import check_precision, computing_in
    from ttsr.system.workers import Workers

__all__ = [
    "Runtime",
    "Workers",
    "atomic_path",
    "available_bytes",
    "check_precision",
    "choose_device",
    "computing_in",
    "gigabytes",
    "peak_bytes",
    "refuse_overwriting",
]

_NAMES = {
    "device": ("choose_device",),
    "distributed": ("Runtime",),
    "files": ("atomic_path", "refuse_overwriting"),
    "memory": ("available_bytes", "gigabytes", "peak_bytes"),
    "precision": ("check_precision", "computing_in"),
    "workers": ("Workers",),
}
__getattr__ = lazy_imports(__name__, {name: f"{__name__}.{home}" for home, names in _NAMES.items() for name in names})
