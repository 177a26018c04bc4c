"""Short calls to a worker about a finished job: its pictures, and where a place of the result came from."""

import io
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from ttsr.images.heat_maps import over_gray, viridis
from ttsr.images.picture import Picture
from ttsr.images.provenance_maps import MappedReference, place_colours, reference_in_colours
from ttsr.images.reading import read_picture
from ttsr.images.resize import SCALE, resize_bicubic
from ttsr.images.writing import write_picture
from ttsr.inference.maps import matched_index
from ttsr.inference.texture_origins import TextureOrigin, texture_origin
from ttsr.progress import Progress
from ttsr.service.job_request import Size, StoredPicture
from ttsr.service.matches import StoredMatches, read_matches
from ttsr.service.stored_pictures import read_stored
from ttsr.system.files import atomic_path

Drawn = Literal["bicubic", "relevance", "confidence", "provenance"]
_REFERENCE_QUALITY = 92
_COLOURED_SIDE = 1024  # pixels of the longest side, at most


@lru_cache(maxsize=8)
def _matches(file: Path) -> StoredMatches:
    return read_matches(file)


def draw(
    models: None, progress: Progress, what: Drawn, lr: StoredPicture, matches: Path, size: Size, target: Path
) -> None:
    """Write a picture of a job as PNG: the bicubic enlargement at the size of the result, or a map over the LR."""
    picture = read_stored(lr).in_eight_bits()
    if what == "bicubic":
        image = Image.fromarray(resize_bicubic(picture.rgb, *size))
    else:
        image = _map(what, _matches(matches), picture)
    with atomic_path(target) as temporary:
        image.save(temporary, compress_level=3)


def _map(what: Drawn, result: StoredMatches, lr: Picture) -> Image.Image:
    side = SCALE * max(lr.size)
    if what == "relevance":
        return over_gray(viridis(result.relevance), lr.rgb, longest_side=side)
    if what == "confidence":
        return over_gray(viridis(result.confidence.mean(-1)), lr.rgb, longest_side=side)
    index = matched_index(result)
    return over_gray(place_colours(index, _mapped(result, lr.size)), lr.rgb, index[..., 0] >= 0, longest_side=side)


def _mapped(result: StoredMatches, lr_size: Size) -> list[MappedReference]:
    """The references, without their pixels; those from which nothing came have no colours."""
    sizes = [lr_size] if result.own_reference else [reference.source.size for reference in result.references]
    used = {*np.unique(result.index[..., 0]).tolist()}
    return [MappedReference(np.empty(0), size, (), used=number in used) for number, size in enumerate(sizes)]


def draw_reference(models: None, progress: Progress, stored: StoredPicture, target: Path) -> None:
    """Write a reference, upright, in its own pixels, as JPEG."""
    picture = read_stored(stored).in_eight_bits()
    _write_jpeg(Image.fromarray(picture.rgb), target)


def draw_reference_colours(
    models: None, progress: Progress, stored: StoredPicture, number: int, matches: Path, target: Path
) -> None:
    """Write a reference in gray under the colours that its places have in the provenance map, as JPEG."""
    picture, result = read_stored(stored).in_eight_bits(), _matches(matches)
    mapped = _mapped(result, stored.size)
    mapped[number] = replace(mapped[number], pixels=picture.rgb)
    image = reference_in_colours(number, mapped, min(_COLOURED_SIDE, max(picture.size)))
    _write_jpeg(image, target)


def _write_jpeg(image: Image.Image, target: Path) -> None:
    """By way of memory: given a file, Pillow does not notice that the end of a JPEG could not be written."""
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=_REFERENCE_QUALITY, subsampling=0)
    with atomic_path(target) as temporary:
        temporary.write_bytes(encoded.getbuffer())


def convert(models: None, progress: Progress, source: Path, target: Path) -> None:
    """Write a result in the format that the name of `target` asks for.

    Raises:
        ImageError: the format cannot hold it.
    """
    write_picture(read_picture(source), target)


def origin(models: None, progress: Progress, matches: Path, x: int, y: int) -> TextureOrigin | None:
    """Where the texture of a pixel of the result came from: see `ttsr.inference.Upscaled.provenance`.

    Raises:
        ImageError: the pixel lies outside the result.
    """
    return texture_origin(_matches(matches), x, y)
