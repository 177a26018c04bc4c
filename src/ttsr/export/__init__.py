"""A network as files for other runtimes: ONNX, and programs of `torch.export`."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
    from ttsr.export.checking import Difference as Difference
    from ttsr.export.exporting import Export as Export, ExportFormat as ExportFormat, export_model as export_model

__getattr__ = lazy_imports(__name__, __file__)
