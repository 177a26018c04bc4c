"""Read a film: what it is, and its frames, upright and in RGB."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ttsr.errors import ImageError
from ttsr.images.opening import open_file
from ttsr.video.colour_tags import ColourTags, tags_of, to_rgb
from ttsr.video.pyav import open_container, pyav

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_QUARTER = 90
_SOME_RATE = Fraction(25)  # of a film that does not say
_TOLERANCE_S = 1.0  # that the last frame may lie before the end of a whole film


@dataclass(frozen=True)
class FilmFrame:
    """A frame of a film.

    Attributes:
        number: from 0 on.
        time: when it is shown, in units of the film's `time_base`; later than that of the frame before.
        rgb: (H, W, 3) uint8 or uint16, upright.
    """

    number: int
    time: int
    rgb: NDArray[Any]


@dataclass(frozen=True)
class Film:
    """A film that can be read; see `open_film`.

    Attributes:
        path: its file.
        size: (width, height) of its frames, upright.
        num_frames: how many there are, of which damaged ones may turn out to be missing.
        rate: frames a second, in the mean where they come unevenly.
        time_base: seconds of a unit of time.
        deep: it has more than 8 bits a channel, and frames have 16.
        colours: how its colours are coded.
        pixel_aspect: width of a pixel by its height, upright.
        notes: what is not kept, one sentence each.
        damage: sentences on what could not be read, once `frames` has come to its end.
    """

    path: Path
    size: tuple[int, int]
    num_frames: int
    rate: Fraction
    time_base: Fraction
    deep: bool
    colours: ColourTags
    pixel_aspect: Fraction
    notes: tuple[str, ...]
    damage: list[str] = field(default_factory=list, compare=False)
    _seconds: float | None = None  # how long it is by what it says of itself
    _first_time: int = 0
    _quarters: int = 0  # counterclockwise, that its stored frames are turned by

    def frames(self, first: int = 0) -> Iterator[FilmFrame]:
        """The frames from number `first` on; what is damaged is left out, and said in `damage` at the end.

        Raises:
            ImageError: the file is gone.
        """
        self.damage.clear()
        turned = self._quarters % 2 == 1
        width, height = self.size
        stored = (height, width) if turned else (width, height)
        with _opened(self.path) as container:
            step = max(1, round(1 / (self.rate * self.time_base)))
            time, number = None, -1
            for number, frame in enumerate(_decoded(container, self.damage)):
                own = frame.pts
                time = own if own is not None and (time is None or own > time) else 0 if time is None else time + step
                if number >= first:
                    rgb = to_rgb(frame, self.colours, stored, deep=self.deep)
                    yield FilmFrame(number, time, np.ascontiguousarray(np.rot90(rgb, self._quarters)))
        shown = 0 if time is None else float((time - self._first_time) * self.time_base)
        if self._seconds is not None and shown + _TOLERANCE_S < self._seconds:
            self.damage.append(f"it ends after {shown:.1f} s of {self._seconds:.1f} s")


def open_film(path: str | Path) -> Film:
    """Open a film and read its first frame.

    Raises:
        ImageError: there is no such file, it is damaged, or has no pictures.
        UserError: PyAV is not installed.
    """
    path, damage = Path(path), []
    with _opened(path) as container:
        frame = next(_decoded(container, damage), None)
        if frame is None:
            raise ImageError(f"{path}: no frame of it can be read; it is damaged or cut off")
        stream = container.streams.video[0]
        context = stream.codec_context
        rate = stream.average_rate or stream.guessed_rate or _SOME_RATE
        time_base = stream.time_base or 1 / rate
        quarters = round(frame.rotation / _QUARTER) % 4
        size, aspect = (frame.width, frame.height), stream.sample_aspect_ratio or Fraction(1)
        if quarters % 2:
            size, aspect = (frame.height, frame.width), 1 / aspect
        colours = tags_of(frame, int(context.color_primaries), int(context.color_trc))
        return Film(
            path,
            size,
            max(1, stream.frames or _num_packets(path)),
            Fraction(rate),
            Fraction(time_base),
            max(component.bits for component in frame.format.components) > 8,
            colours,
            aspect,
            tuple(_notes(container, frame)),
            _seconds=_seconds_of(stream),
            _first_time=frame.pts or 0,
            _quarters=quarters,
        )


@contextmanager
def _opened(path: Path) -> Iterator["InputContainer"]:
    av = pyav()
    with open_file(path, str(path)):  # which says what is wrong with a folder, a pipe or a missing file
        pass
    try:
        container = open_container(path)
    except av.error.FFmpegError as error:
        reason = (error.strerror or str(error)).lower()
        raise ImageError(f"{path}: not a film that can be read, or damaged ({reason})") from None
    with container:
        if not container.streams.video:
            raise ImageError(f"{path}: there are no pictures in it, only sound or text")
        if container.streams.video[0].codec_context is None:
            raise ImageError(f"{path}: its pictures are coded in a way that cannot be read")
        yield container


def _decoded(container: "InputContainer", damage: list[str]) -> Iterator["VideoFrame"]:
    """The frames of the first film in a container; damaged parts are left out."""
    av, stream, lost = pyav(), container.streams.video[0], 0
    stream.thread_type = "AUTO"
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                break
        except av.error.FFmpegError as error:
            damage.append(f"its end is damaged or missing ({(error.strerror or str(error)).lower()})")
            break
        try:
            yield from packet.decode()
        except av.error.EOFError:
            break
        except av.error.FFmpegError:
            lost += 1
    if lost:
        damage.append(f"{lost} damaged frames or parts of frames were left out")


def _num_packets(path: Path) -> int:
    """How many frames a film has, where its file does not say."""
    number = 0
    with _opened(path) as container, suppress(pyav().error.FFmpegError):
        for packet in container.demux(container.streams.video[0]):
            number += packet.size > 0
    return number


def _seconds_of(stream: "VideoStream") -> float | None:
    """How long the pictures last, where the file says so: for this stream, or as Matroska does in a tag."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    match = re.match(r"(\d+):(\d+):(\d+\.\d+)", stream.metadata.get("DURATION", ""))
    return match and 3600 * int(match[1]) + 60 * int(match[2]) + float(match[3])


def _notes(container: "InputContainer", frame: "VideoFrame") -> Iterator[str]:
    if len(container.streams.video) > 1:
        yield "it has several picture streams, of which the first was used"
    if frame.interlaced_frame:
        yield "it is interlaced: deinterlace it first for a better result"
    if frame.format.has_palette or frame.format.name.startswith(("yuva", "gbrap", "rgba", "bgra", "argb", "abgr")):
        yield "its transparency is not kept"
