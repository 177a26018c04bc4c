"""Whole films: frames, times, sound and tags, and what an interrupted run leaves."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from ttsr.errors import UserError
from ttsr.inference.references import Reference
from ttsr.inference.target_size import TargetSize
from ttsr.inference.upscaler import Upscaler
from ttsr.progress import Cancelled, Progress
from ttsr.video.colour_tags import ColourTags
from ttsr.video.film import Film, open_film
from ttsr.video.film_upscaling import FilmResult, plan_film, upscale_film
from ttsr.video.frame_upscaler import FrameUpscaler
from ttsr.video.unfinished import PIECE_FRAMES, finished_frames, precision_of_interrupted, unfinished_folder

WriteFilm = Callable[..., Path]
Pictures = list[NDArray[np.uint8]]


def decoded(path: Path) -> list[tuple[Fraction, NDArray[Any]]]:
    film = open_film(path)
    return [(frame.time * film.time_base, frame.rgb) for frame in film.frames()]


def stop_at(frame: int) -> Progress:
    """A progress that cancels in the middle of the work on a frame."""

    def show(fraction: float, stage: str) -> None:
        if stage.startswith(f"frame {frame + 1} "):
            progress.cancel()

    progress = Progress(show)
    return progress


def test_frames_times_sound_and_tags_are_kept(
    upscaler: Upscaler,
    write_film: WriteFilm,
    sound_of: Callable[[Path], Any],
    pictures: Pictures,
    aloe_ref: NDArray[np.uint8],
    tmp_path: Path,
) -> None:
    times = [0, 4, 5, 20, 21, 30, 31, 50]
    source = write_film(
        tmp_path / "film.mp4",
        pictures,
        times,
        sound="aac",
        colours=ColourTags(9, True, 9, 1),
        pixel_aspect=Fraction(4, 3),
        title="A film",
    )
    film, target = open_film(source), tmp_path / "large.mp4"
    references = upscaler.encode_references(aloe_ref[:120, :160])
    result = upscale_film(upscaler, film, target, references, quality=100)
    assert (result.size, result.frames, result.resumed_at, result.notes) == ((128, 96), 8, 0, ())
    assert 0 < result.mean_relevance <= 1 and result.fits >= 1

    made = open_film(target)
    assert (made.size, made.num_frames, made.colours, made.pixel_aspect) == (
        (128, 96),
        8,
        film.colours,
        film.pixel_aspect,
    )
    frames = decoded(target)
    assert [time for time, _ in frames] == [Fraction(time, 100) for time in times]
    expected = FrameUpscaler(upscaler, references, (128, 96))
    for frame, (_, rgb) in zip(film.frames(), frames, strict=True):
        wanted = expected.upscale(frame.rgb, frame.number).picture.rgb
        assert np.abs(rgb.astype(int) - wanted).mean() < 4  # chroma is halved, and coded with a little loss
    assert sound_of(target) == sound_of(source) and len(sound_of(source)) > 2
    with av.open(str(target)) as container:
        assert container.metadata["title"] == "A film"
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.video[0].codec_context.pix_fmt in ("yuv420p", "yuvj420p")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "large.mp4"]


@pytest.fixture(scope="module")
def long_film(write_film: WriteFilm, pictures: Pictures, tmp_path_factory: pytest.TempPathFactory) -> Film:
    """Of more frames than are encoded together, with a cut to which the references are fitted again."""
    frames = [p[:12, :16] for n in range(4) for p in (pictures if n < 2 else [255 - p for p in pictures])]
    return open_film(write_film(tmp_path_factory.mktemp("long") / "film.mkv", frames[: PIECE_FRAMES + 4]))


@pytest.fixture(scope="module")
def small_reference(upscaler: Upscaler, aloe_ref: NDArray[np.uint8]) -> tuple[Reference, ...]:
    return upscaler.encode_references(aloe_ref[:40, :60])


@pytest.fixture(scope="module")
def uninterrupted(
    upscaler: Upscaler,
    long_film: Film,
    small_reference: tuple[Reference, ...],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[FilmResult, list[tuple[Fraction, NDArray[Any]]]]:
    target = tmp_path_factory.mktemp("whole") / "whole.mkv"
    return upscale_film(upscaler, long_film, target, small_reference), decoded(target)


@pytest.mark.parametrize("stopped_at", [5, PIECE_FRAMES, PIECE_FRAMES + 2])
def test_an_interrupted_run_goes_on_to_the_same_film(
    upscaler: Upscaler,
    long_film: Film,
    small_reference: tuple[Reference, ...],
    uninterrupted: tuple[FilmResult, list[tuple[Fraction, NDArray[Any]]]],
    tmp_path: Path,
    stopped_at: int,
) -> None:
    film, references, target = long_film, small_reference, tmp_path / "large.mkv"
    with pytest.raises(Cancelled):
        upscale_film(upscaler, film, target, references, progress=stop_at(stopped_at))
    assert finished_frames(target) == stopped_at and not target.exists()
    assert precision_of_interrupted(target) == "fp32"
    with pytest.raises(UserError, match=r"holds an interrupted run with another film, other references or other"):
        upscale_film(upscaler, film, target, ())
    shown: list[float] = []
    result = upscale_film(upscaler, film, target, references, progress=Progress(lambda f, _: shown.append(f)))
    assert shown == sorted(shown) and shown[0] >= stopped_at / (PIECE_FRAMES + 4)
    assert result.resumed_at == stopped_at and result.frames == PIECE_FRAMES + 4
    expected_result, frames = uninterrupted
    assert result.fits == expected_result.fits > 1
    assert result.mean_relevance == pytest.approx(expected_result.mean_relevance)
    for (time, rgb), (expected_time, expected) in zip(decoded(target), frames, strict=True):
        assert time == expected_time
        np.testing.assert_array_equal(rgb, expected)
    assert not unfinished_folder(target).exists()


def test_a_run_that_is_stopped_at_once_leaves_nothing(
    upscaler: Upscaler, write_film: WriteFilm, pictures: Pictures, tmp_path: Path
) -> None:
    film = open_film(write_film(tmp_path / "film.mp4", pictures))
    with pytest.raises(Cancelled):
        upscale_film(upscaler, film, tmp_path / "large.mp4", progress=stop_at(0))
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_damaged_remains_are_said(
    upscaler: Upscaler, write_film: WriteFilm, pictures: Pictures, tmp_path: Path
) -> None:
    film, target = open_film(write_film(tmp_path / "film.mp4", pictures)), tmp_path / "large.mp4"
    with pytest.raises(Cancelled):
        upscale_film(upscaler, film, target, progress=stop_at(2))
    state = unfinished_folder(target) / "state.npz"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(UserError, match="what an interrupted run has left is damaged: delete that folder"):
        upscale_film(upscaler, film, target)


@pytest.mark.parametrize(("scale", "size"), [(4, (60, 44)), (3, (46, 34)), (2, (30, 22))], ids=["four", "three", "two"])
def test_odd_sizes_become_even(
    upscaler: Upscaler, write_film: WriteFilm, pictures: Pictures, tmp_path: Path, scale: int, size: tuple[int, int]
) -> None:
    odd = [picture[:11, :15] for picture in pictures[:2]]
    film = open_film(write_film(tmp_path / "film.mkv", odd, pixel_format="yuv444p"))
    result = upscale_film(upscaler, film, tmp_path / "large.mp4", size=TargetSize(scale))
    assert result.size == open_film(tmp_path / "large.mp4").size == size
    assert bool(result.notes) == (scale == 3)


def test_ten_bits_stay_ten(upscaler: Upscaler, write_film: WriteFilm, tmp_path: Path) -> None:
    ramp = np.repeat(np.linspace(20000, 24000, 32, dtype=np.uint16)[None, :, None], 24, 0).repeat(3, 2)
    film = open_film(write_film(tmp_path / "film.mkv", [ramp, ramp], pixel_format="yuv420p10le"))
    upscale_film(upscaler, film, tmp_path / "large.mp4", quality=100)
    assert open_film(tmp_path / "large.mp4").deep


def test_sound_that_does_not_fit_is_refused_before_the_work(
    upscaler: Upscaler,
    write_film: WriteFilm,
    sound_of: Callable[[Path], Any],
    pictures: Pictures,
    tmp_path: Path,
) -> None:
    source = write_film(tmp_path / "film.mkv", pictures[:2], sound="pcm_u8")
    film = open_film(source)
    with pytest.raises(UserError, match=r"no place for the film's sound \(pcm_u8\): name the result .mkv"):
        upscale_film(upscaler, film, tmp_path / "large.mp4")
    upscale_film(upscaler, film, tmp_path / "large.mkv")
    assert [data for _, data in sound_of(tmp_path / "large.mkv")] == [data for _, data in sound_of(source)]


def test_more_than_four_times_is_refused(
    upscaler: Upscaler, write_film: WriteFilm, pictures: Pictures, tmp_path: Path
) -> None:
    film = open_film(write_film(tmp_path / "film.mp4", pictures[:2]))
    with pytest.raises(UserError, match="films are upscaled four times at most"):
        upscale_film(upscaler, film, tmp_path / "large.mp4", size=TargetSize(8))
    with pytest.raises(UserError, match="there is no such folder"):
        upscale_film(upscaler, film, tmp_path / "none" / "large.mp4")


def test_the_plan_is_of_all_frames(
    upscaler: Upscaler, write_film: WriteFilm, pictures: Pictures, aloe_ref: NDArray[np.uint8], tmp_path: Path
) -> None:
    few = open_film(write_film(tmp_path / "few.mp4", pictures[:2]))
    many = open_film(write_film(tmp_path / "many.mp4", 2 * pictures))
    references = upscaler.encode_references(aloe_ref)
    plans = [plan_film(upscaler, film, references, tmp_path / "large.mp4") for film in (few, many)]
    assert [plan.num_frames for plan in plans] == [2, 16]
    assert plans[1].seconds == pytest.approx(8 * plans[0].seconds, rel=0.2)
    assert plans[0].size == (128, 96) and plans[0].memory_bytes > 10**7
    assert len(list(tmp_path.iterdir())) == 2


def test_subtitles_and_chapters_are_kept(
    upscaler: Upscaler, write_film: WriteFilm, pictures: Pictures, tmp_path: Path
) -> None:
    texts = tmp_path / "texts.srt"
    texts.write_text("1\n00:00:00,040 --> 00:00:00,200\nHello\n")
    source = tmp_path / "film.mkv"
    with (
        av.open(str(write_film(tmp_path / "bare.mkv", pictures))) as bare,
        av.open(str(texts)) as subtitles,
        av.open(str(source), "w") as container,
    ):
        streams: dict[Any, Any] = {bare: container.add_stream_from_template(bare.streams.video[0])}
        streams[subtitles] = container.add_stream_from_template(subtitles.streams.subtitles[0])
        container.set_chapters(
            [{"id": 1, "start": 0, "end": 200, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}}]
        )
        for part, stream in streams.items():
            for packet in part.demux():
                if packet.size:
                    packet.stream = stream
                    container.mux(packet)
    target = tmp_path / "large.mkv"
    result = upscale_film(upscaler, open_film(source), target)
    assert result.notes == ()
    with av.open(str(target)) as container:
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["One"]
        packets = [bytes(p) for p in container.demux(container.streams.subtitles[0]) if p.size]
    assert packets == [b"Hello"]
    # MP4 has no place for SubRip, which is said.
    result = upscale_film(upscaler, open_film(source), tmp_path / "large.mp4")
    assert result.notes == ("its subtitles (subrip) are left out",)
