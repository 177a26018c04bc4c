"""Pictures in and out: files and arrays to `Picture`, resizing as the weights were trained with, and back."""

from typing import TYPE_CHECKING

from ttsr.lazy_imports import lazy_imports

if TYPE_CHECKING:
    from ttsr.images.folders import FoundPictures as FoundPictures, pictures_in as pictures_in
    from ttsr.images.panels import matched_detail as matched_detail, side_by_side as side_by_side
    from ttsr.images.picture import Metadata as Metadata, Picture as Picture, to_tensor as to_tensor
    from ttsr.images.reading import decode_picture as decode_picture, read_picture as read_picture
    from ttsr.images.resize import (
        blur_by_resize as blur_by_resize,
        downscale4 as downscale4,
        upscale4 as upscale4,
        upscale4_nearest as upscale4_nearest,
    )
    from ttsr.images.writing import write_picture as write_picture

__getattr__ = lazy_imports(__name__, __file__)
