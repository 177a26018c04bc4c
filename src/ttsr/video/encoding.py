"""Frames as H.264: a piece of a film at a time, each of which can be decoded by itself."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ttsr.errors import UserError
from ttsr.system.files import atomic_path
from ttsr.video.colour_tags import ColourTags, to_yuv
from ttsr.video.pyav import named_failures, pyav

if TYPE_CHECKING:
    from av.packet import Packet

DEFAULT_QUALITY = 80
"""Of a film, from 1 to 100: x264's constant rate factor 17, which can hardly be told from the original."""

# The constant rate factors of quality 1 and 100.
_WORST, _BEST = 45.0, 10.0
# Encoders by preference, and the formats of 8 and of more bits that each is given. x264 has a constant rate factor.
_X264 = "libx264"
_ENCODERS = {_X264: ("yuv420p", "yuv420p10le"), "libopenh264": ("yuv420p", None), "mpeg4": ("yuv420p", None)}
_PIECES_RATE = 25  # pieces count frames; when each is shown is said when they are joined


@dataclass(frozen=True)
class Encoding:
    """How frames are encoded.

    Attributes:
        encoder: FFmpeg's name of it.
        pixel_format: likewise.
        quality: from 1 to 100.
        size: (width, height), both even.
        rate: frames a second, for the encoder to judge by.
        colours: how colours are coded.
        pixel_aspect: width of a pixel by its height.
    """

    encoder: str
    pixel_format: str
    quality: int
    size: tuple[int, int]
    rate: Fraction
    colours: ColourTags
    pixel_aspect: Fraction

    def described(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        return {name: str(value) for name, value in asdict(self).items()}


def choose_encoder(*, deep: bool) -> tuple[str, str]:
    """The best encoder that PyAV's FFmpeg has, and the pixel format to give it; of 10 bits where `deep` and possible.

    Raises:
        UserError: there is none.
    """
    av = pyav()
    for encoder, (usual, of_more_bits) in _ENCODERS.items():
        try:
            known = {str(entry.name) for entry in av.Codec(encoder, "w").video_formats or ()}
        except av.error.FFmpegError:
            continue
        return encoder, of_more_bits if deep and of_more_bits in known else usual
    raise UserError("this PyAV has no encoder of H.264 or MPEG-4", 'pip install "ttsr[video]" brings one that has')


def encode_piece(frames: Iterable[NDArray[Any]], path: Path, encoding: Encoding) -> None:
    """Encode frames, (H, W, 3) uint8 or uint16, to a file of their own, whole or not at all.

    Raises:
        UserError: FFmpeg cannot write it.
        OSError: the file cannot be written.
    """
    av = pyav()
    with (
        named_failures(path),
        atomic_path(path) as temporary,
        av.open(str(temporary), "w", format="mp4") as container,
    ):
        stream = container.add_stream(encoding.encoder, rate=_PIECES_RATE)
        context = stream.codec_context
        stream.width, stream.height = encoding.size
        stream.pix_fmt = encoding.pixel_format
        context.sample_aspect_ratio = encoding.pixel_aspect
        colours = encoding.colours
        context.colorspace, context.color_range = colours.matrix, 2 if colours.full_range else 1
        context.color_primaries, context.color_trc = colours.primaries, colours.transfer
        share = (encoding.quality - 1) / 99
        if encoding.encoder == _X264:
            # Pieces that each begin and end by themselves; a scene cut may begin a new group of pictures within one.
            stream.options = {"crf": f"{_WORST + share * (_BEST - _WORST):.2f}", "preset": "medium"}
        else:
            width, height = encoding.size
            context.bit_rate = int(width * height * float(encoding.rate) * (0.02 + 0.3 * share**2))
        for number, rgb in enumerate(frames):
            frame = to_yuv(rgb, colours, encoding.pixel_format)
            frame.pts, frame.time_base = number, Fraction(1, _PIECES_RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def frames_ahead(piece: Path) -> int:
    """By how many frames the decoding of a piece begins before its first frame is shown."""
    with pyav().open(str(piece)) as container:
        packet = next(container.demux(container.streams.video[0]))
        return round((packet.pts - packet.dts) * packet.time_base * _PIECES_RATE)


def packets_of(piece: Path, times: Sequence[int], time_base: Fraction, after: int) -> "Iterable[Packet]":
    """The packets of a piece, with the times at which its frames are shown in place of those that it was written with.

    Decoding times are not set here: they depend on the pieces before. Durations are.

    Args:
        piece: from `encode_piece`.
        times: of its frames, in units of `time_base`.
        time_base: seconds of a unit.
        after: the time at which the frame after the last is shown.
    """
    ends = [*times[1:], after]
    with pyav().open(str(piece)) as container:
        stream = container.streams.video[0]
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            number = round((packet.pts or 0) * stream.time_base * _PIECES_RATE)
            packet.pts, packet.duration = times[number], ends[number] - times[number]
            packet.time_base = time_base
            yield packet
