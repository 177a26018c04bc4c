"""Pieces of encoded frames, and the sound and subtitles of the film that they were made from, as one film."""

import heapq
import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ttsr.errors import UserError
from ttsr.system.files import atomic_path
from ttsr.video.encoding import frames_ahead, packets_of
from ttsr.video.film import Film
from ttsr.video.pyav import named_failures, open_container, pyav

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream

# Of a stream; the rest describes the old file.
_KEPT_TAGS = ("language", "title", "handler_name")
_OF_THE_FORMAT = ("major_brand", "minor_version", "compatible_brands", "encoder")
_FORMATS = {".mkv": "matroska", ".mov": "mov", ".mp4": "mp4", ".m4v": "mp4"}


def check_container(film: Film, target: Path) -> tuple[str, ...]:
    """See before the work that the film's sound fits into the file; a sentence for each stream that is left out.

    Raises:
        UserError: the container has no place for the sound.
    """
    with open_container(film.path) as source:
        supported = _supported(target)
        for stream in source.streams.audio:
            if not _fits(stream, supported):
                what = f"{target}: this kind of file has no place for the film's sound ({_codec(stream)})"
                raise UserError(what, "name the result .mkv")
        left_out = [s for s in source.streams if s.type not in ("video", "audio") and not _fits(s, supported)]
        return tuple(f"its {_KINDS.get(s.type, s.type)} ({_codec(s) or 'unknown'}) are left out" for s in left_out)


_KINDS = {"subtitle": "subtitles", "data": "further data", "attachment": "attachments"}


def join(film: Film, pieces: Sequence[Path], times: Sequence[int], target: Path, piece_frames: int) -> None:
    """Write the film: the frames of all pieces, and copies of the sound and subtitles of `film`.

    Args:
        film: what the frames were made from.
        pieces: files of `encode_piece`, each of `piece_frames` frames but for the last.
        times: when each frame is shown, in units of the film's `time_base`.
        target: the file to write, completely or not at all.
        piece_frames: see `pieces`.

    Raises:
        UserError: a film cannot be read or written.
        OSError: the file cannot be written.
    """
    av = pyav()
    options = {"movflags": "faststart"} if _FORMATS[target.suffix.lower()] != "matroska" else {}
    with (
        named_failures(target),
        atomic_path(target.resolve()) as temporary,
        open_container(film.path) as source,
        av.open(str(pieces[0])) as first,
        av.open(str(temporary), "w", format=_FORMATS[target.suffix.lower()], options=options) as output,
    ):
        video = output.add_stream_from_template(first.streams.video[0])
        video.time_base = film.time_base
        original = source.streams.video[0]
        video.metadata.update(_kept(original.metadata))
        output.metadata.update({k: v for k, v in source.metadata.items() if k not in _OF_THE_FORMAT})
        output.set_chapters(source.chapters())
        copied = _copied_streams(source, output, _supported(target))
        packets = [_timed(film, pieces, times, piece_frames, video), _others(source, copied)]
        for _, packet in heapq.merge(*packets, key=lambda entry: entry[0]):
            output.mux_one(packet)


def _supported(target: Path) -> set[str]:
    with pyav().open(io.BytesIO(), "w", format=_FORMATS[target.suffix.lower()]) as container:
        return set(container.supported_codecs)


def _codec(stream: "Stream") -> str:
    context = getattr(stream, "codec_context", None)
    return "" if context is None else context.codec.canonical_name


def _fits(stream: "Stream", supported: set[str]) -> bool:
    return stream.type in ("audio", "subtitle") and _codec(stream) in supported


def _kept(metadata: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in metadata.items() if name in _KEPT_TAGS}


def _copied_streams(source: "InputContainer", output: "OutputContainer", supported: set[str]) -> "dict[int, Stream]":
    copied: dict[int, Stream] = {}
    for stream in source.streams:
        if _fits(stream, supported):
            copy = output.add_stream_from_template(stream)
            copy.metadata.update(_kept(stream.metadata))
            copy.disposition = stream.disposition
            copied[stream.index] = copy
    return copied


def _others(source: "InputContainer", copied: "dict[int, Stream]") -> "Iterator[tuple[float, Packet]]":
    """The packets of the other streams as they are stored, up to where the file is damaged."""
    if not copied:
        return
    last = 0.0
    with suppress(pyav().error.FFmpegError):
        for packet in source.demux([source.streams[index] for index in copied]):
            when = packet.pts if packet.dts is None else packet.dts
            unit = packet.time_base
            if packet.size == 0 or when is None or unit is None:
                continue
            last = max(last, float(when * unit))
            packet.stream = copied[packet.stream_index]
            yield last, packet


def _timed(
    film: Film, pieces: Sequence[Path], times: Sequence[int], piece_frames: int, stream: "Stream"
) -> "Iterator[tuple[float, Packet]]":
    """The packets of all pieces, in the order in which they are decoded, with decoding times that rise."""
    step = max(1, round(1 / (film.rate * film.time_base)))
    # Each is decoded earlier by as many frames as the encoder may store one of them ahead of those shown before it.
    ahead = frames_ahead(pieces[0])
    decoding = [times[0] - step * (ahead - n) for n in range(ahead)] + list(times)
    number = 0
    for count, piece in enumerate(pieces):
        end = (count + 1) * piece_frames
        own = times[end - piece_frames : end]
        after = times[end] if end < len(times) else own[-1] + step
        for packet in packets_of(piece, own, film.time_base, after):
            packet.dts, packet.stream = decoding[number], stream
            number += 1
            yield float(decoding[number - 1] * film.time_base), packet
