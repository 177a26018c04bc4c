"""Weights: catalogue, download, reading, checkpoint layouts, loading and saving."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
    from ttsr.weights.catalog import available_weights
    from ttsr.weights.loading import load, locate
    from ttsr.weights.provenance import Metadata, Provenance
    from ttsr.weights.saving import read_metadata, save
    from ttsr.weights.vgg19 import load_vgg19

__all__ = ["Metadata", "Provenance", "available_weights", "load", "load_vgg19", "locate", "read_metadata", "save"]

_NAMES = {
    "catalog": ("available_weights",),
    "loading": ("load", "locate"),
    "provenance": ("Metadata", "Provenance"),
    "saving": ("read_metadata", "save"),
    "vgg19": ("load_vgg19",),
}
__getattr__ = lazy_imports(__name__, {name: f"{__name__}.{home}" for home, names in _NAMES.items() for name in names})
