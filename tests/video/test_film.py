"""What is read of a film."""

import shutil
import socket
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ttsr.errors import ImageError, UserError
from ttsr.video.colour_tags import ColourTags
from ttsr.video.film import open_film
from ttsr.video.film_names import FILM_SUFFIXES

WriteFilm = Callable[..., Path]
Pictures = list[NDArray[np.uint8]]


def test_frames_come_with_their_times_and_colours(write_film: WriteFilm, tmp_path: Path, pictures: Pictures) -> None:
    times = [0, 4, 5, 20, 21, 30, 31, 50]
    film = open_film(write_film(tmp_path / "film.mp4", pictures, times, pixel_format="yuv444p"))
    assert (film.size, film.num_frames, film.deep, film.notes) == ((32, 24), 8, False, ())
    assert film.colours == ColourTags(1, False, 1, 1)
    frames = list(film.frames())
    assert [frame.time * film.time_base for frame in frames] == [Fraction(time, 100) for time in times]
    for frame, picture in zip(frames, pictures, strict=True):
        assert frame.rgb.dtype == np.uint8
        assert np.abs(frame.rgb.astype(int) - picture).mean() < 1.5
    assert [frame.number for frame in film.frames(5)] == [5, 6, 7]
    assert film.damage == []


@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize("full_range", [False, True])
def test_colours_are_those_that_the_tags_say(
    write_film: WriteFilm, tmp_path: Path, matrix: int, full_range: bool
) -> None:
    colours = ColourTags(matrix, full_range)
    flat = np.full((24, 32, 3), (200, 60, 30), np.uint8)
    film = open_film(write_film(tmp_path / "film.mkv", [flat], colours=colours))
    assert (film.colours.matrix, film.colours.full_range) == (matrix, full_range)
    assert np.abs(next(film.frames()).rgb[8:16, 8:16].astype(int) - flat[0, 0]).max() <= 3


def test_untagged_colours_are_those_that_players_take_them_for(write_film: WriteFilm, tmp_path: Path) -> None:
    flat = np.full((24, 32, 3), (200, 60, 30), np.uint8)
    small = write_film(tmp_path / "small.mkv", [flat], colours=ColourTags(6, False), tagged=False)
    assert open_film(small).colours == ColourTags(6, False)
    assert np.abs(next(open_film(small).frames()).rgb[8:16, 8:16].astype(int) - flat[0, 0]).max() <= 3
    large = np.zeros((720, 16, 3), np.uint8)
    assert open_film(write_film(tmp_path / "large.mkv", [large], tagged=False)).colours.matrix == 1


def test_ten_bits_become_sixteen(write_film: WriteFilm, tmp_path: Path) -> None:
    ramp = np.repeat(np.linspace(20000, 22000, 64, dtype=np.uint16)[None, :, None], 24, 0).repeat(3, 2)
    film = open_film(write_film(tmp_path / "film.mp4", [ramp], pixel_format="yuv444p10le"))
    rgb = next(film.frames()).rgb
    assert film.deep and rgb.dtype == np.uint16
    assert np.abs(rgb.astype(int) - ramp).max() < 200  # of which 8 bits make steps of 257
    assert len(np.unique(rgb[12, :, 1])) > 12


def test_a_turned_film_is_read_upright(write_film: WriteFilm, tmp_path: Path, pictures: Pictures) -> None:
    film = open_film(write_film(tmp_path / "film.mp4", pictures, rotation=90, pixel_aspect=Fraction(4, 3)))
    assert film.size == (24, 32) and film.pixel_aspect == Fraction(3, 4)
    upright = np.rot90(pictures[0]).astype(int)
    assert np.abs(next(film.frames()).rgb - upright).mean() < 6  # chroma has half the resolution


def test_a_film_that_is_cut_off_gives_what_is_there(write_film: WriteFilm, tmp_path: Path, pictures: Pictures) -> None:
    whole = write_film(tmp_path / "whole.mkv", 4 * pictures, range(0, 32 * 20, 20))
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    film = open_film(cut)
    frames = list(film.frames())
    assert 5 < len(frames) < 31
    assert film.damage[-1] == f"it ends after {0.2 * (len(frames) - 1):.1f} s of 6.2 s"
    np.testing.assert_array_equal(frames[3].rgb, list(open_film(whole).frames())[3].rgb)


def test_damage_in_the_middle_is_said(write_film: WriteFilm, tmp_path: Path, pictures: Pictures) -> None:
    path = write_film(tmp_path / "film.mp4", 4 * pictures)
    data = bytearray(path.read_bytes())
    middle = data.index(b"mdat") + 2000
    data[middle : middle + 3000] = bytes(3000)
    path.write_bytes(data)
    film = open_film(path)
    frames = list(film.frames())
    assert 0 < len(frames) <= 32
    assert [frame.time for frame in frames] == sorted({frame.time for frame in frames})
    assert (len(frames) < 31) <= bool(film.damage)


def test_what_is_no_film_is_one_line(write_film: WriteFilm, tmp_path: Path, pictures: Pictures) -> None:
    (tmp_path / "text.mkv").write_text("no film")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(write_film(tmp_path / "whole.mp4", pictures).read_bytes()[:500])
    for name in ("text.mkv", "empty.mp4", "folder.mp4", "missing.mp4", "cut.mp4"):
        with pytest.raises(UserError) as caught:
            open_film(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name)) and "\n" not in str(caught.value)


def test_sound_alone_is_no_film(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "sound.mkv"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        tone.sample_rate = 8000
        container.mux(stream.encode(tone))
        container.mux(stream.encode(None))
    with pytest.raises(ImageError, match="there are no pictures in it"):
        open_film(tmp_path / "sound.mkv")


@pytest.mark.parametrize("suffix", FILM_SUFFIXES)
def test_films_of_every_suffix(tmp_path: Path, suffix: str) -> None:
    import av

    path = tmp_path / f"film{suffix}"
    codecs = {".webm": "libvpx", ".ogv": "libvpx", ".wmv": "wmv2", ".flv": "flv", ".mpg": "mpeg1video"}
    codec = codecs.get(suffix.replace("mpeg", "mpg"), "mpeg4")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, width=64, height=48, pix_fmt="yuv420p")
        assert isinstance(stream, av.VideoStream)
        for value in range(12):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * value, np.uint8))))
        container.mux(stream.encode(None))
    assert open_film(path).size == (64, 48)


def test_no_name_and_no_playlist_leads_elsewhere(tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg would take a path for an address, and read the files that a playlist names."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(film, "other.mp4")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        Path(f"http:/127.0.0.1:{port}").mkdir(parents=True)
        shutil.copy(film, f"http:/127.0.0.1:{port}/film.mp4")
        assert open_film(f"http:/127.0.0.1:{port}/film.mp4").size == (16, 12)
        for text in (
            "ffconcat version 1.0\nfile other.mp4\n",
            f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n",
            "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nother.mp4\n#EXT-X-ENDLIST\n",
        ):
            Path("list.mp4").write_text(text)
            with pytest.raises(ImageError, match=r"list\.mp4: not a film"):
                open_film("list.mp4")
        with pytest.raises(BlockingIOError):  # nobody has called
            server.accept()
