"""Fuzz the reading of pictures: files that are changed step by step towards code that none has reached yet.

    python fuzz/picture_reader.py -max_total_time=600

Each has to give a picture that can be written, or an ImageError of one line, within ten seconds and 2 GiB. Another
exception, a crash of a decoder or a hang ends the run; the file is then in fuzz/found. Other options are libFuzzer's.
"""

import os
import struct
import sys
import tempfile
import zlib
from pathlib import Path

import atheris  # pyright: ignore[reportMissingImports]

with atheris.instrument_imports(include=["ttsr.images", "PIL", "tifffile"]):  # pyright: ignore[reportAttributeAccessIssue]
    import tifffile  # noqa: F401, as all that is loaded on first use
    from PIL import Image

    Image.init()
    from ttsr.errors import ImageError
    from ttsr.images.reading import decode_picture, read_picture, stored_size
    from ttsr.images.writing import write_picture

from bad_pictures import bad_pictures, whole_pictures
from odd_pictures import odd_pictures

_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II", b"MM")
_LONGEST_SEED = 2**14
_LARGEST_WRITTEN = 2**14
_WRITTEN = ("png", "tif", "jpg", "webp")
_DEFAULTS = {"-timeout": "10", "-rss_limit_mb": "2048", "-max_len": "32768", "-artifact_prefix": "fuzz/found/picture-"}


def main() -> None:
    """Fuzz, by libFuzzer's options in the arguments."""
    Image.MAX_IMAGE_PIXELS = 2**20  # larger ones are slow, and take the same paths
    given = {argument.split("=")[0] for argument in sys.argv[1:]}
    defaults = [f"{name}={value}" for name, value in _DEFAULTS.items() if name not in given]
    Path("fuzz/found").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        write_seeds(Path(folder) / "seeds")
        arguments = [sys.argv[0], *defaults, "-print_final_stats=1", *sys.argv[1:], f"{folder}/seeds"]
        atheris.Setup(arguments, lambda data: read(data, Path(folder)), custom_mutator=mutated)
        atheris.Fuzz()


def write_seeds(folder: Path) -> None:
    """The files to begin with."""
    folder.mkdir()
    files = [odd.data for odd in odd_pictures()] + [bad.data for bad in bad_pictures()] + [*whole_pictures().values()]
    for number, data in enumerate(files):
        if len(data) <= _LONGEST_SEED:
            (folder / str(number)).write_bytes(data)


def read(data: bytes, folder: Path) -> None:
    """Read a picture, and of a TIFF, which is written to a file, the georeference; and write what was read."""
    try:
        stored_size(data, "fuzzed")
    except ImageError as error:
        check(error)
    try:
        if data[:2] in _TIFF:
            (folder / "in.tif").write_bytes(data)
            picture = read_picture(folder / "in.tif")
        else:
            picture = decode_picture(data, "fuzzed")
    except ImageError as error:
        check(error)
        return
    if picture.rgb.size <= _LARGEST_WRITTEN:
        out = folder / f"out.{_WRITTEN[len(data) % len(_WRITTEN)]}"
        write_picture(picture, out)
        again = read_picture(out)
        assert out.suffix != ".png" or (again.channels == picture.channels).all()


def check(error: ImageError) -> None:
    """An error is one line that names the file."""
    line = str(error)
    assert line.isprintable() and ": " in line and len(line) < 500, line


def mutated(data: bytes, most: int, seed: int) -> bytes:
    """A file that differs; of PNGs mostly with checksums that are right, without which little of them is read."""
    data = atheris.Mutate(data, most)
    if not data.startswith(_PNG) or seed % 4 == 0:
        return data
    whole, place = bytearray(data), len(_PNG)
    while place + 12 <= len(whole):
        end = place + 8 + struct.unpack_from(">I", whole, place)[0]
        if end + 4 > len(whole):
            break
        struct.pack_into(">I", whole, end, zlib.crc32(whole[place + 4 : end]))
        place = end + 4
    return bytes(whole)


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[1])
    main()
