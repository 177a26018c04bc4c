"""Folders and packed files give the same; a damaged packed file is one line."""

import errno
import os
import pickle
import zipfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ttsr.data.store import AwayError, Store, open_store
from ttsr.errors import DataError, ImageError

FILES = {
    "b/2.JPG": b"second",
    "a-b/1.png": b"first",
    "a/1.webp": b"of a",
    "top.png": b"top",
    "a/.hidden.png": b"no",
    ".cache/x.png": b"no",
    "__MACOSX/._top.png": b"no",
    "notes.txt": b"text",
    "manifest.csv": "\ufefffile\nä.png\n".encode(),
}
NAMES = ("a/1.webp", "a-b/1.png", "b/2.JPG", "top.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "set"


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in FILES.items():
            entry = zipfile.ZipInfo(name)
            entry.extra = b"\xfe\xca\x04\x00abcd" if name == "top.png" else b""  # a field before the data
            archive.writestr(entry, data)
        archive.mkdir("empty")
    return path


@pytest.fixture
def deflated(tmp_path: Path) -> Path:
    """As most programs make a ZIP, with the sizes after the content (a data descriptor)."""
    path = tmp_path / "deflated.zip"
    with path.open("wb") as file:
        stream: Any = SimpleNamespace(write=file.write, flush=file.flush)  # that cannot seek back to the sizes
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in FILES.items():
                archive.writestr(name, data)
    return path


@pytest.mark.parametrize("kind", ["folder", "packed", "deflated"])
def test_names_bytes_and_text(kind: str, request: pytest.FixtureRequest) -> None:
    path: Path = request.getfixturevalue(kind)
    store = open_store(path)
    assert store.where == str(path)
    assert store.names == NAMES
    assert [store.read(name) for name in NAMES] == [FILES[name] for name in NAMES]
    assert store.text("manifest.csv") == "file\nä.png\n"
    assert store.text("other.csv") is None
    assert store.shown("top.png") == f"{path}/top.png"
    with pytest.raises(ImageError, match=r"b/3\.jpg: there is no such file"):
        store.read("b/3.jpg")
    with pytest.raises(ImageError, match=r"top\.png: not a picture"):
        store.picture("top.png")


@pytest.mark.parametrize("kind", ["folder", "packed", "deflated"])
def test_the_start_of_a_file_and_the_size_of_a_picture(kind: str, tmp_path: Path) -> None:
    """Also of a large file, and of one in a format that is checked as a whole."""
    (tmp_path / "set").mkdir()
    pixels = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8))
    for name in ("a.png", "b.tiff", "c.webp"):
        pixels.save(tmp_path / "set" / name, lossless=True)
        assert (tmp_path / "set" / name).stat().st_size > 150_000
    (tmp_path / "set" / "d.png").write_bytes(b"nothing")
    path = tmp_path / "set"
    if kind != "folder":
        path = tmp_path / "set.zip"
        method = zipfile.ZIP_DEFLATED if kind == "deflated" else zipfile.ZIP_STORED
        with zipfile.ZipFile(path, "w", method) as archive:
            for file in sorted((tmp_path / "set").iterdir()):
                archive.write(file, file.name)
    store = open_store(path)
    assert [store.size(name) for name in store.names[:3]] == [(300, 200)] * 3
    with pytest.raises(ImageError, match=r"d\.png: not a picture"):
        store.size("d.png")
    assert [store.read("d.png", length) for length in (3, 100)] == [b"not", b"nothing"]
    assert set(store.files()) == ({path} if kind != "folder" else {path / name for name in store.names})


def test_what_might_never_end_is_not_read(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    (folder / "endless.png").symlink_to("/dev/zero")
    store = open_store(folder)
    for name in ("pipe.png", "endless.png"):
        assert name in store.names
        with pytest.raises(ImageError, match=rf"{name}: is not a regular file"):
            store.read(name)


def test_text_must_be_utf8(folder: Path) -> None:
    (folder / "manifest.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"manifest\.csv: not UTF-8"):
        open_store(folder).text("manifest.csv")


def test_links_to_folders_are_followed_and_never_in_circles(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "far.png").write_bytes(b"far")
    (folder / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (folder / "twin").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (folder / "a" / "circle").symlink_to(folder, target_is_directory=True)
    assert open_store(folder).names == (*NAMES[:3], "link/far.png", "top.png", "twin/far.png")


def read_all(store: Store) -> list[bytes]:
    return [store.read(name) for name in store.names]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_packed_file_is_read_in_other_processes(method: str, packed: Path) -> None:
    store = open_store(packed)
    assert read_all(pickle.loads(pickle.dumps(store))) == read_all(store)
    # Not a Pool, which ends by killing its processes: one killed at the wrong moment leaves the other waiting for ever.
    with ProcessPoolExecutor(2, mp_context=get_context(method)) as pool:
        assert list(pool.map(read_all, [store] * 4)) == [[FILES[name] for name in NAMES]] * 4


def test_beyond_4_gb(tmp_path: Path) -> None:
    """A hole of 5 GB, which takes no room on the disk, before the members: their offsets need Zip64."""
    path = tmp_path / "large.zip"
    with path.open("wb") as file:
        file.truncate(5 * 2**30)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("one.png", b"1" * 70)
        archive.writestr("two.png", b"2" * 80)
    assert read_all(open_store(path)) == [b"1" * 70, b"2" * 80]


def picture_pack(path: Path, method: int = zipfile.ZIP_STORED) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    Image.fromarray(pixels).save(path.with_suffix(".png"))
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in ("a.png", "b.png"):
            archive.write(path.with_suffix(".png"), name)
    return path.read_bytes()


def test_wherever_it_is_cut_off_it_is_refused(tmp_path: Path) -> None:
    whole = picture_pack(tmp_path / "whole.zip")
    cut = tmp_path / "cut.zip"
    for length in range(0, len(whole), 7):
        cut.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"cut\.zip: not a packed data set, or cut off .*make it with"):
            open_store(cut)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_flipped_byte_is_noticed_or_harmless(method: int, tmp_path: Path) -> None:
    """Never other pixels, never another error than ours."""
    whole = picture_pack(tmp_path / "whole.zip", method)
    right = {name: open_store(tmp_path / "whole.zip").read(name) for name in ("a.png", "b.png")}
    damaged = tmp_path / "damaged.zip"
    noticed = 0
    for place in range(0, len(whole), 5):
        damaged.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            store = open_store(damaged)
            for name in store.names:
                assert name not in right or store.read(name) == right[name]
        except (DataError, ImageError):
            noticed += 1
    assert noticed > len(whole) / 5 * 0.9  # nearly all of it is pixels


def compressed(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a.png", b"0" * 1000)


def bomb(path: Path) -> None:
    """A member of 100 bytes that declares a gigabyte."""
    declaring(10**9, b"0" * 1000, path)


def zeros(path: Path) -> None:
    """A member that declares 257 MB, as many zeros as its 300 KB may stand for."""
    declaring(257 * 2**20, np.random.default_rng(0).bytes(300_000), path)


def declaring(size: int, content: bytes, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", content)
    file = bytearray(path.read_bytes())
    central = file.index(b"PK\1\2")
    file[central + 24 : central + 28] = size.to_bytes(4, "little")
    path.write_bytes(file)


def encrypted(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", b"0" * 100)
    content = path.read_bytes()
    central = content.index(b"PK\1\2")
    path.write_bytes(content[: central + 8] + b"\1" + content[central + 9 :])


def named(name: str) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, b"0")

    return make


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (zeros, r"a\.png would unpack to far more than its size"),
        (named("/etc/a.png"), r"'/etc/a\.png' in it is not the name of a file below a folder"),
        (named("b/../../a.png"), r"'b/\.\./\.\./a\.png' in it is not the name of a file below a folder"),
        (named("x" * 60_000), "'xxx.* in it is not the name of a file below a folder"),
        (compressed, r"a\.png is compressed by another method than deflate in it: unpack it"),
        (bomb, r"a\.png would unpack to far more than its size"),
        (encrypted, r"a\.png is encrypted in it: unpack it"),
        (lambda path: path.write_bytes(b""), "not a packed data set"),
        (lambda path: path.write_bytes(b"\x89PNG\r\n" * 100), "not a packed data set"),
        (lambda path: None, "no such folder or packed file"),
    ],
)
def test_what_is_no_store_is_refused(make: Callable[[Path], object], match: str, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    make(path)
    with pytest.raises(DataError, match=match) as caught:
        open_store(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize("packed", [False, True])
def test_a_text_without_end_is_refused(packed: bool, tmp_path: Path) -> None:
    """In a folder, where a hole takes no room on the disk, and in a packed file."""
    if packed:
        with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("manifest.csv", bytes(70 * 2**20))
    else:
        with (tmp_path / "manifest.csv").open("wb") as file:
            file.truncate(2**40)
    with pytest.raises(DataError, match=r"manifest\.csv: longer than 64 MB"):
        open_store(tmp_path / "x.zip" if packed else tmp_path).text("manifest.csv")


@pytest.mark.parametrize("kind", ["folder", "packed", "deflated"])
@pytest.mark.parametrize("left", ["nothing", "an empty folder"])
def test_files_that_are_away_are_told_from_one_that_is_gone(
    kind: str, left: str, request: pytest.FixtureRequest
) -> None:
    """As on a network share: what is there instead, when it is not mounted, is nothing or the mount point."""
    path: Path = request.getfixturevalue(kind)
    store = open_store(path)
    away = path.rename(path.with_name("away"))
    if left == "an empty folder":
        path.mkdir()
    with pytest.raises(AwayError, match=r"no such file|cannot be read \("):
        store.read("top.png")
    if left == "an empty folder":
        path.rmdir()
    away.rename(path)
    assert read_all(store) == [FILES[name] for name in NAMES]
    if kind == "folder":
        (path / "top.png").unlink()
        with pytest.raises(ImageError, match=r"top\.png: there is no such file"):
            store.read("top.png")


@pytest.mark.parametrize("number, away", [(errno.EIO, True), (errno.ESTALE, True), (errno.EACCES, False)])
def test_what_the_system_says_of_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, away: bool) -> None:
    store = open_store(folder)

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        broken.setattr(Path, "stat", fail)
        with pytest.raises(AwayError if away else ImageError, match=r"top\.png: cannot be read \("):
            store.read("top.png")
