"""The photos of a folder: their names, pixels and keypoints."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ttsr.data.crops import Pixels8, rgb8
from ttsr.errors import DataError, ImageError
from ttsr.images.formats import READ
from ttsr.images.reading import read_picture
from ttsr.registration.keypoints import Keypoints, find_keypoints


@dataclass(frozen=True)
class PhotoReader:
    """Reads the photos of one folder, the larger ones shrunk to a longest side in pixels if it is given."""

    folder: Path
    longest_side: int | None = None

    def pixels(self, name: str) -> Pixels8:
        """(H, W, 3) uint8 RGB, the right way up; an ImageError if it cannot be read."""
        rgb = rgb8(read_picture(self.folder / name))
        longest = max(rgb.shape[:2])
        if self.longest_side is None or longest <= self.longest_side:
            return rgb
        height, width = (max(1, round(side * self.longest_side / longest)) for side in rgb.shape[:2])
        return np.array(Image.fromarray(rgb).resize((width, height), Image.Resampling.LANCZOS))

    def keypoints(self, name: str) -> Keypoints | ImageError:
        """The photo's keypoints, or why it cannot be read: a single bad file does not stop the mining."""
        try:
            pixels = self.pixels(name)
        except ImageError as error:
            return error
        return find_keypoints(pixels)


def list_photos(folder: Path) -> list[str]:
    """The pictures in the folder and the folders in it, as paths from it with slashes, sorted; hidden ones left out.

    Raises:
        DataError: no such folder, it cannot be listed, or it holds fewer than two pictures.
    """
    if not os.path.isdir(folder):  # unlike Path's, not raising on a name that is too long
        raise DataError(f"{folder}: no such folder", "name a folder of photos")

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename or folder}: cannot be listed ({error.strerror})")

    names: list[str] = []
    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        pictures = (name for name in files if Path(name).suffix.lower() in READ and not name.startswith("."))
        names += (Path(parent, name).relative_to(folder).as_posix() for name in pictures)
    if len(names) < 2:
        count = "one picture" if names else "no pictures"
        raise DataError(f"{folder}: holds {count} ({' '.join(READ)})", "pairs need two photos of one thing at least")
    return sorted(names)
