"""Pictures in and out: files and arrays to `Picture`, resizing as the weights were trained with, and back."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
    from ttsr.images.picture import Metadata, Picture, to_tensor
    from ttsr.images.reading import decode_picture, pictures_in, read_picture
    from ttsr.images.resize import blur_by_resize, downscale4, upscale4
    from ttsr.images.writing import write_picture

__all__ = [
    "Metadata",
    "Picture",
    "blur_by_resize",
    "decode_picture",
    "downscale4",
    "pictures_in",
    "read_picture",
    "to_tensor",
    "upscale4",
    "write_picture",
]

_NAMES = {
    "picture": ("Metadata", "Picture", "to_tensor"),
    "reading": ("decode_picture", "pictures_in", "read_picture"),
    "resize": ("blur_by_resize", "downscale4", "upscale4"),
    "writing": ("write_picture",),
}
__getattr__ = lazy_imports(__name__, {name: f"{__name__}.{home}" for home, names in _NAMES.items() for name in names})
