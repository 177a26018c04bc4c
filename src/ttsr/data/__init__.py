"""Data sets: pairs for training, from CUFED's layout or from photos, and the groups of the CUFED5 test set."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
    from ttsr.data.cufed import CufedPairs as CufedPairs
    from ttsr.data.cufed5 import Group as Group, ReferenceChoice as ReferenceChoice, list_groups as list_groups
    from ttsr.data.packing import Packed as Packed, PackOptions as PackOptions, pack as pack
    from ttsr.data.pair_options import CufedOptions as CufedOptions, PhotosOptions as PhotosOptions
    from ttsr.data.photos import PhotoPairs as PhotoPairs
    from ttsr.data.sample import Batch as Batch, Pair as Pair, collate as collate
    from ttsr.data.store import Store as Store, open_store as open_store

__getattr__ = lazy_imports(__name__, __file__)
