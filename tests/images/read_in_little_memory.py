"""Read the bad pictures, and those of a folder, with so many MiB more than a process has that has loaded decoders."""

import resource
import sys
from pathlib import Path

import imagecodecs  # noqa: F401
import psutil
import tifffile  # noqa: F401
from bad_pictures import bad_pictures
from odd_pictures import DEEP, SMOOTH
from picture_parts import png, tiff

from ttsr.errors import ImageError
from ttsr.images.reading import decode_picture, read_picture

for good in (png(SMOOTH), png(DEEP), tiff(DEEP, photometric="rgb", compression="deflate")):
    decode_picture(good, "good")
everything = psutil.Process().memory_info().vms + int(sys.argv[1]) * 2**20
for bad in bad_pictures():
    resource.setrlimit(resource.RLIMIT_AS, (everything + len(bad.data), -1))
    try:
        decode_picture(bad.data, bad.name)
        print(f"{bad.name}: a picture")
    except ImageError as error:
        print(error)
for path in Path(sys.argv[2]).iterdir():
    try:
        read_picture(path)
        print(f"{path}: a picture")
    except ImageError as error:
        print(error)
