"""Odd files give their pixels, bad ones one line: those of fuzz/odd_pictures.py and fuzz/bad_pictures.py."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bad_pictures import Bad, bad_pictures, cuts, whole_pictures
from hypothesis import given, settings
from mutated_pictures import changed_files, read
from odd_pictures import DEEP, Odd, odd_pictures

from ttsr.cli import main
from ttsr.errors import ImageError
from ttsr.images.picture import Picture
from ttsr.images.reading import decode_picture, read_picture, stored_size
from ttsr.images.writing import write_picture

ODD, BAD, WHOLE = list(odd_pictures()), list(bad_pictures()), whole_pictures()


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.name)
def test_an_odd_picture_gives_its_pixels(odd: Odd, capfd: pytest.CaptureFixture[str]) -> None:
    picture = decode_picture(odd.data, odd.name)
    assert picture.channels.dtype == odd.pixels.dtype
    np.testing.assert_allclose(picture.channels.astype(int), odd.pixels.astype(int), rtol=0, atol=odd.tolerance)
    assert odd.note in " ".join(picture.notes)
    assert stored_size(odd.data, odd.name) in (picture.size, picture.size[::-1])  # it may be turned
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_a_bad_picture_gives_one_line(bad: Bad, capfd: pytest.CaptureFixture[str]) -> None:
    said = outcome(bad.data, bad.name)
    if bad.message is not None:
        assert isinstance(said, str) and re.search(bad.message, said)
    if isinstance(said, str):
        assert said.startswith(f"{bad.name}: ") and said.isprintable() and len(said) < 400
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", WHOLE)
def test_a_picture_that_was_cut_off_is_refused_or_whole(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    data, whole = WHOLE[name], decode_picture(WHOLE[name], name)
    for where, length in cuts(data).items():
        part = outcome(data[:length], name)
        if isinstance(part, Picture):
            np.testing.assert_array_equal(part.channels, whole.channels, err_msg=where)
        else:
            assert re.fullmatch(rf"{name}: (damaged|not a picture).*", part), where
    assert capfd.readouterr() == ("", "")


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(changed_files())
def test_a_picture_that_was_changed_is_read_or_refused(changed: tuple[str, bytes]) -> None:
    read(*changed)


def test_memory_stays_small(tmp_path: Path) -> None:
    """No file takes more than 256 MiB, be it a bomb or 1 TiB long, nor a minute: in a process that has no more."""
    for number, start in enumerate([b"", b"II*\0\x08\0\0\0", b"P6 #", *(data[:200] for data in WHOLE.values())]):
        with (tmp_path / f"{number}.png").open("wb") as file:
            file.write(start)
            file.truncate(2**40)
    program = Path(__file__).with_name("read_in_little_memory.py")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "MALLOC_ARENA_MAX": "1"}
    command = [sys.executable, str(program), "256", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == len(BAD) + len(list(tmp_path.iterdir()))
    assert [line for line in lines if "not enough memory" in line] == []


def test_the_command_names_each_bad_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = [bad for bad in BAD if bad.message is not None and len(bad.data) < 2**14]
    for bad in shown:
        (tmp_path / bad.name).write_bytes(bad.data)
    paths = [str(tmp_path / bad.name) for bad in shown]
    assert main(["upscale", *paths, "--out", f"{tmp_path}/out/"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "Traceback" not in err
    for bad, path in zip(shown, paths, strict=True):
        (line,) = (line for line in err.splitlines() if line.startswith(f"ttsr: {path}: "))
        assert bad.message and re.search(bad.message, line)


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_are_written_as_they_were_read(tmp_path: Path, suffix: str, channels: int) -> None:
    values = DEEP[..., :channels]
    for odd in (odd for odd in ODD if odd.name.split(".")[1] in ("png", "none", "lzw")):
        if odd.pixels.dtype == np.uint16 and np.array_equal(odd.pixels, values):
            (tmp_path / "in").write_bytes(odd.data)
            assert write_picture(read_picture(tmp_path / "in"), tmp_path / f"out.{suffix}") == ()
            np.testing.assert_array_equal(read_picture(tmp_path / f"out.{suffix}").channels, values)


def outcome(data: bytes, name: str) -> Picture | str:
    """The picture, or what was said."""
    try:
        return decode_picture(data, name)
    except ImageError as error:
        return str(error)
