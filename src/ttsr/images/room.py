"""Whether a picture fits into memory while it is read."""

from ttsr.errors import ImageError
from ttsr.system.memory import free_bytes, gigabytes

_BYTES_A_PIXEL = 20  # measured: 10 of gray, 13 of RGB, 19 of RGB with alpha and 16 bits
_ALWAYS_READ = 2**22  # pixels, without a look at what is free


def check_room(width: int, height: int) -> None:
    """Check that there is memory to read a picture of so many pixels, before any is taken: files may be a thousandth.

    Raises:
        ImageError: less is free on this machine, or within the container's limit.
    """
    pixels = width * height
    if pixels <= _ALWAYS_READ:
        return
    needed, free = pixels * _BYTES_A_PIXEL, free_bytes()
    if needed > free:
        what = (
            f"{width}x{height} pixels take about {gigabytes(needed)} of memory to read, and {gigabytes(free)} are free"
        )
        raise ImageError(what, "take a smaller picture, or close other programs")
