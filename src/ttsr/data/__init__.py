"""Data sets: pairs for training, from CUFED's layout or from photos, and the groups of the CUFED5 test set."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
    from ttsr.data.cufed import CufedPairs
    from ttsr.data.cufed5 import Group, ReferenceChoice, list_groups
    from ttsr.data.packing import Packed, PackOptions, pack
    from ttsr.data.pair_options import CufedOptions, PhotosOptions
    from ttsr.data.photos import PhotoPairs
    from ttsr.data.sample import Batch, Pair, collate
    from ttsr.data.store import Store, open_store

__all__ = [
    "Batch",
    "CufedOptions",
    "CufedPairs",
    "Group",
    "PackOptions",
    "Packed",
    "Pair",
    "PhotoPairs",
    "PhotosOptions",
    "ReferenceChoice",
    "Store",
    "collate",
    "list_groups",
    "open_store",
    "pack",
]

_NAMES = {
    "cufed": ("CufedPairs",),
    "cufed5": ("Group", "ReferenceChoice", "list_groups"),
    "packing": ("PackOptions", "Packed", "pack"),
    "pair_options": ("CufedOptions", "PhotosOptions"),
    "photos": ("PhotoPairs",),
    "sample": ("Batch", "Pair", "collate"),
    "store": ("Store", "open_store"),
}
__getattr__ = lazy_imports(__name__, {name: f"{__name__}.{home}" for home, names in _NAMES.items() for name in names})
