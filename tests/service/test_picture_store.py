import hashlib
import io
from pathlib import Path

import pytest

from ttsr.service.job_request import StoredPicture
from ttsr.service.picture_store import PictureStore, TooLarge, received, shown_name


def add(store: PictureStore, folder: Path, content: bytes, client: str = "a") -> StoredPicture:
    with received(io.BytesIO(content), folder, 100) as (file, digest, size):
        return store.add(StoredPicture(file, digest, "name.png", (4, 4), False, size), client)


def test_a_picture_is_kept_by_its_digest_for_its_sender_only(tmp_path: Path) -> None:
    store = PictureStore(tmp_path, 1000, 60)
    stored = add(store, tmp_path, b"content")
    assert stored.digest == hashlib.sha256(b"content").hexdigest() and stored.file.read_bytes() == b"content"
    assert store.get(stored.digest, "a") == stored
    assert store.get(stored.digest, "b") is None and store.get("0" * 64, "a") is None
    again = add(store, tmp_path, b"content")
    assert store.num_bytes == 7 and [*tmp_path.iterdir()] == [stored.file] == [again.file]
    of_another = add(store, tmp_path, b"content", "b")
    assert store.num_bytes == 14 and of_another.file != again.file


def test_those_used_least_recently_make_room(tmp_path: Path) -> None:
    store = PictureStore(tmp_path, 100, 60)
    first, second = (add(store, tmp_path, letter * 40) for letter in (b"1", b"2"))
    assert store.get(first.digest, "a") is not None
    third = add(store, tmp_path, b"3" * 40)
    assert store.get(second.digest, "a") is None and store.num_bytes == 80
    assert {*tmp_path.iterdir()} == {first.file, third.file}


def test_a_client_that_fills_the_store_loses_its_own_pictures_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ttsr.service.picture_store._MOST", 8)
    store = PictureStore(tmp_path, 100, 60)
    kept = add(store, tmp_path, b"k" * 30, "quiet")
    for number in range(20):
        add(store, tmp_path, b"%030d" % number, "loud")
    assert store.get(kept.digest, "quiet") is not None and store.num_bytes == 90
    for number in range(20):
        add(store, tmp_path, b"%d" % number, "many")
    assert store.get(kept.digest, "quiet") is not None and len([*tmp_path.iterdir()]) == 8


def test_pictures_expire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, now = PictureStore(tmp_path, 100, 60), [1000.0]
    monkeypatch.setattr("ttsr.service.picture_store.time.monotonic", lambda: now[0])
    old, used = (add(store, tmp_path, letter) for letter in (b"1", b"2"))
    now[0] += 50
    assert store.get(used.digest, "a") is not None
    now[0] += 11
    store.expire()
    assert store.get(old.digest, "a") is None and store.get(used.digest, "a") is not None
    assert [*tmp_path.iterdir()] == [used.file]


def test_an_upload_of_too_many_bytes_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TooLarge), received(io.BytesIO(b"x" * 101), tmp_path, 100):
        raise AssertionError("it was received")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a.png", "a.png"),
        ("../../etc/passwd", "passwd"),
        (r"C:\x\ä b.jpg", "ä b.jpg"),
        ("a\r\nSet-Cookie: x\0.png", "aSet-Cookie: x.png"),
        ("x" * 300, "x" * 100),
        ("/", "picture"),
        (None, "picture"),
    ],
)
def test_names_are_shown_without_folders_and_control_characters(given: str | None, shown: str) -> None:
    assert shown_name(given) == shown
