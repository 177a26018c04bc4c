"""References chosen from a folder of photos: which of them show what a picture shows."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
    from ttsr.retrieval.finding import (
        FoundReference as FoundReference,
        FoundReferences as FoundReferences,
        find_references as find_references,
    )
    from ttsr.retrieval.photo_index import PhotoIndex as PhotoIndex, index_photos as index_photos
    from ttsr.retrieval.reference_files import ReferenceFiles as ReferenceFiles, list_references as list_references

__getattr__ = lazy_imports(__name__, __file__)
