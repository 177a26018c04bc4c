"""Weights: catalogue, download, reading, checkpoint layouts, loading and saving."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
    from ttsr.weights.catalog import available_weights as available_weights
    from ttsr.weights.loading import load as load, locate as locate
    from ttsr.weights.provenance import Metadata as Metadata, Provenance as Provenance
    from ttsr.weights.saving import read_metadata as read_metadata, save as save
    from ttsr.weights.vgg19 import load_vgg19 as load_vgg19

__getattr__ = lazy_imports(__name__, __file__)
