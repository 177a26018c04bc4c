"""The ground floor: devices, precision, memory, files, processes. Imports only errors and options of ttsr."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
    from ttsr.system.device import choose_device as choose_device
    from ttsr.system.distributed import Runtime as Runtime
    from ttsr.system.files import atomic_path as atomic_path, refuse_overwriting as refuse_overwriting
    from ttsr.system.memory import available_bytes as available_bytes, gigabytes as gigabytes, peak_bytes as peak_bytes
    from ttsr.system.precision import check_precision as check_precision, computing_in as computing_in
    from ttsr.system.workers import Workers as Workers

__getattr__ = lazy_imports(__name__, __file__)
