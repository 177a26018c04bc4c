"""Read picture files with bits turned, parts cut out, repeated, and put together from two.

    python fuzz/mutated_pictures.py -max_total_time=600

Each has to give a picture, or an ImageError of one line, within ten seconds. Hypothesis shows the smallest change that
does not.
"""

import sys
import time
from functools import cache

from bad_pictures import whole_pictures
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from odd_pictures import odd_pictures
from PIL import Image

from ttsr.errors import ImageError
from ttsr.images.reading import decode_picture

_LONGEST = 2**15
_PATIENCE_S = 10.0
_places = st.integers(0, 999)  # thousandths of the length
_headers = st.integers(0, 200)  # bytes from the start


@cache
def good_files() -> tuple[tuple[str, bytes], ...]:
    """Those that are changed, by name."""
    odd = {odd.name: odd.data for odd in odd_pictures() if len(odd.data) < _LONGEST}
    return tuple({**whole_pictures(), **odd}.items())


@st.composite
def changed_files(draw: st.DrawFn) -> tuple[str, bytes]:
    """The name of a good file, and what became of it."""
    name, data = draw(st.sampled_from(good_files()))
    for _ in range(draw(st.integers(1, 6))):
        size = len(data) or 1
        place = min(draw(_headers), size - 1) if draw(st.booleans()) else draw(_places) * size // 1000
        match draw(st.sampled_from(["bit", "byte", "number", "cut", "remove", "repeat", "splice", "insert"])):
            case "bit":
                data = (
                    data[:place]
                    + bytes([(data[place] if data else 0) ^ 1 << draw(st.integers(0, 7))])
                    + data[place + 1 :]
                )
            case "byte":
                data = data[:place] + bytes([draw(st.sampled_from([0, 1, 127, 128, 254, 255]))]) + data[place + 1 :]
            case "number":
                number = draw(st.sampled_from([0, 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1]))
                data = data[:place] + number.to_bytes(4, draw(st.sampled_from(["little", "big"]))) + data[place + 4 :]
            case "cut":
                data = data[:place]
            case "remove":
                data = data[:place] + data[place + draw(st.integers(1, 64)) :]
            case "repeat":
                part = data[place : place + draw(st.integers(1, 64))]
                data = data[:place] + part * draw(st.sampled_from([2, 3, 50])) + data[place:]
            case "splice":
                other = draw(st.sampled_from(good_files()))[1]
                data = data[:place] + other[draw(_places) * len(other) // 1000 :]
            case "insert":
                data = data[:place] + draw(st.binary(min_size=1, max_size=16)) + data[place:]
    return name, data


def read(name: str, data: bytes) -> bool:
    """Whether a file gives a picture; else the error has to be one line that begins with its name.

    Raises:
        AssertionError: it is not, or reading took too long.
    """
    started = time.monotonic()
    try:
        decode_picture(data, name)
        is_read = True
    except ImageError as error:
        line = str(error)
        assert line.startswith(f"{name}: ") and line.isprintable() and len(line) < 500, line
        is_read = False
    assert time.monotonic() - started < _PATIENCE_S, name
    return is_read


def main(seconds: float) -> None:
    """Read changed files until the time is over, and print how many."""
    Image.MAX_IMAGE_PIXELS = 2**20
    end, counts = time.monotonic() + seconds, [0, 0]

    @settings(max_examples=1000, deadline=None, database=None, suppress_health_check=_SLOW, phases=_PHASES)
    @given(changed_files())
    def check(changed: tuple[str, bytes]) -> None:
        if time.monotonic() < end:
            counts[read(*changed)] += 1

    while time.monotonic() < end:
        check()
    print(f"{sum(counts)} changed files in {seconds:g} s: {counts[1]} were read, {counts[0]} refused in one line")


_PHASES = (Phase.generate, Phase.shrink)
_SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)

if __name__ == "__main__":
    main(float(next((a.split("=")[1] for a in sys.argv[1:] if a.startswith("-max_total_time=")), 600)))
